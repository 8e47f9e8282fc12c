//! Users that post to one channel of the real binary over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use domain::ids::WorkspaceId;
use identity::sessions::Device;
use tests::Place;

use crate::client::Client;
use crate::furnish::{Furnished, messages_path, text};
use crate::load::Caller;
use crate::served::Served;

/// A server with a channel, and the tokens of some of its members.
pub struct Posters {
    pub served: Served,
    pub workspace_id: WorkspaceId,
    pub path: String,
    pub tokens: Vec<String>,
    /// The results of all posts so far.
    pub tally: Arc<Tally>,
    // The last field, because the server uses it.
    pub place: Place,
}

/// The results of posts.
#[derive(Default)]
pub struct Tally {
    pub refused: AtomicU64,
    /// The last acknowledged position.
    pub head: AtomicI64,
}

impl Posters {
    /// A channel with `members` members, of which `posters` are signed in, on a server with all roles.
    pub async fn start(members: usize, posters: usize) -> Self {
        let started = Self::start_with(members, posters, &[]).await;
        started.are_projected().await;
        started
    }

    /// The same channel on a server with these arguments.
    pub async fn start_with(members: usize, posters: usize, arguments: &[&str]) -> Self {
        let place = Place::create(&[]).await;
        let app = place.app().await;
        let furnished = Furnished::with(app.commands.store(), members).await;
        let mut tokens = Vec::with_capacity(posters);
        for user in furnished.users.iter().take(posters) {
            let (token, _) = app.sessions.start(*user, Device::default()).await.expect("a session");
            tokens.push(token.expose().to_owned());
        }
        drop(app);
        let path = messages_path(furnished.channel_id);
        let posters = Self {
            served: Served::at(&place, arguments),
            workspace_id: furnished.workspace_id,
            path,
            tokens,
            tally: Arc::default(),
            place,
        };
        posters.post_once().await;
        posters
    }

    /// Sends one post by one of the users.
    pub async fn post_once(&self) {
        for mut poster in self.connect(1).await {
            poster.call(0).await;
        }
    }

    /// Opens this number of connections, each for a different user, as far as there are enough.
    pub async fn connect(&self, number: usize) -> Vec<Poster> {
        let mut posters = Vec::with_capacity(number);
        for token in self.tokens.iter().cycle().take(number) {
            posters.push(Poster::connect(self.served.address, token, &self.path, &self.tally).await);
        }
        posters
    }

    /// Waits until every post is projected, so that the next measurement does not include that work.
    pub async fn are_projected(&self) {
        self.served.has_projected(self.tally.head.load(Ordering::Relaxed), &self.tokens[0], &self.path).await;
    }
}

/// One connection of one user.
pub struct Poster {
    client: Client,
    path: String,
    tally: Arc<Tally>,
}

impl Poster {
    /// A connection with this token, to post at this path.
    pub async fn connect(address: SocketAddr, token: &str, path: &str, tally: &Arc<Tally>) -> Self {
        Self { client: Client::connect(address, Some(token)).await, path: path.to_owned(), tally: Arc::clone(tally) }
    }
}

impl Caller for Poster {
    /// The message's position in the log.
    type Answer = i64;

    async fn call(&mut self, n: u64) -> i64 {
        let answer = self.client.post(&self.path, format!("{{\"content\":\"{}\"}}", text(n))).await;
        if answer.status != 201 {
            self.tally.refused.fetch_add(1, Ordering::Relaxed);
        }
        self.tally.head.fetch_max(answer.position, Ordering::Relaxed);
        answer.position
    }
}
