//! The clients' knowledge of users, channels and messages. It may be out of date, like the state of any client.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use rand::RngExt;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::client::{Ask, Client};
use crate::record::Effect;

const PASSWORD: &str = "correct horse battery";
/// The number of latest channels and messages that clients use.
const RECENT_MAX: usize = 200;

/// A signed-in user.
#[derive(Clone, Debug)]
pub struct Person {
    /// The user's identifier.
    pub id: Uuid,
    /// The user's email address.
    pub email: String,
    /// The token of the user's session.
    pub token: String,
}

/// A channel.
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    /// The identifier of the channel.
    pub id: Uuid,
    /// Whether every member may join.
    pub public: bool,
    /// Whether the channel has a topic, and can be archived.
    pub named: bool,
}

/// A message.
#[derive(Clone, Debug)]
pub struct Message {
    /// The identifier of the message.
    pub id: Uuid,
    /// The channel of the message.
    pub channel: Uuid,
    /// The author of the message.
    pub author: Uuid,
    /// The root of the message's thread, if it is an answer.
    pub thread: Option<Uuid>,
}

#[derive(Debug, Default)]
struct Known {
    channels: Vec<Channel>,
    messages: Vec<Message>,
}

/// One workspace with its users.
#[derive(Clone, Debug)]
pub struct World {
    /// The identifier of the workspace.
    pub workspace: Uuid,
    /// The channel of all members.
    pub general: Uuid,
    /// The owner of the workspace.
    pub owner: Person,
    /// The members that stay.
    pub members: Vec<Person>,
    /// The members that are removed and taken back, again and again.
    pub victims: Vec<Person>,
    known: Arc<Mutex<Known>>,
}

impl World {
    /// Creates a workspace with this number of users.
    ///
    /// # Errors
    /// Fails if a command is refused.
    pub async fn found(client: &mut Client, members: usize, victims: usize) -> Result<Self> {
        let owner = register(client, "owner").await?;
        let body = json!({"name": "Chaos", "domain": format!("chaos-{}.example.org", owner.id.simple())});
        let effect = Some(Effect { event_type: "workspace.created", stream: None, fields: json!({"details": {"name": "Chaos"}}) });
        let ask = Ask { method: Method::POST, path: "/v1/workspaces".to_owned(), body: Some(body), effect };
        let created = client.command(owner.id, &owner.token, ask).await.context("no workspace")?;
        let workspace = created.id("workspace_id").context("no workspace")?;
        let mut world = Self { workspace, general: Uuid::nil(), owner, members: Vec::new(), victims: Vec::new(), known: Arc::default() };
        for number in 0..members + victims {
            let person = register(client, if number < members { "member" } else { "victim" }).await?;
            world.take_in(client, &person).await?;
            if number < members { world.members.push(person) } else { world.victims.push(person) }
        }
        world.general = world.find_general(client).await?;
        world.lock().channels.push(Channel { id: world.general, public: true, named: false });
        Ok(world)
    }

    /// Invites a user, who accepts.
    ///
    /// # Errors
    /// Fails if the server refuses.
    pub async fn take_in(&self, client: &mut Client, person: &Person) -> Result<()> {
        let fields = json!({"email": person.email, "role": "member"});
        let effect = Some(Effect { event_type: "workspace.member_invited", stream: Some(self.workspace), fields: fields.clone() });
        let path = format!("/v1/workspaces/{}/invitations", self.workspace);
        let ask = Ask { method: Method::POST, path, body: Some(fields), effect };
        let invited = client.command(self.owner.id, &self.owner.token, ask).await.context("not invited")?;
        let token = invited.body.get("token").and_then(|token| token.as_str()).context("no token")?;
        let fields = json!({"user_id": person.id, "invitation_id": invited.id("invitation_id")});
        let effect = Some(Effect { event_type: "workspace.member_joined", stream: Some(self.workspace), fields });
        let ask = Ask { method: Method::POST, path: format!("/v1/invitations/{token}/acceptance"), body: None, effect };
        client.command(person.id, &person.token, ask).await.context("not accepted")?;
        Ok(())
    }

    async fn find_general(&self, client: &mut Client) -> Result<Uuid> {
        for _ in 0..500 {
            let shown = client.get(&self.owner.token, &format!("/v1/workspaces/{}", self.workspace)).await;
            if let Some(general) = shown.and_then(|shown| shown.get("general_channel_id")?.as_str()?.parse().ok()) {
                return Ok(general);
            }
            client.pause(100).await;
        }
        anyhow::bail!("the list of channels lacks #general")
    }

    /// A random member that is never removed.
    pub fn anybody(&self, chance: &mut StdRng) -> Person {
        let index = chance.random_range(0..self.members.len());
        self.members.get(index).unwrap_or(&self.owner).clone()
    }

    /// A random channel: #general half of the time.
    pub fn channel(&self, chance: &mut StdRng) -> Channel {
        let known = self.lock();
        let index = if chance.random_bool(0.5) { 0 } else { chance.random_range(0..known.channels.len().max(1)) };
        known.channels.get(index).copied().unwrap_or(Channel { id: self.general, public: true, named: false })
    }

    /// A random recent message, if there is one; only of `author`, if one is given.
    pub fn message(&self, chance: &mut StdRng, author: Option<Uuid>) -> Option<Message> {
        let known = self.lock();
        let fitting = known.messages.iter().filter(|message| author.is_none_or(|author| message.author == author)).collect::<Vec<_>>();
        (!fitting.is_empty()).then(|| fitting.get(chance.random_range(0..fitting.len())).copied().cloned()).flatten()
    }

    /// Adds a channel.
    pub fn add_channel(&self, channel: Channel) {
        let mut known = self.lock();
        known.channels.push(channel);
        if known.channels.len() > RECENT_MAX {
            // The first channel is #general, which stays.
            known.channels.remove(1);
        }
    }

    /// Adds a message.
    pub fn add_message(&self, message: Message) {
        let mut known = self.lock();
        known.messages.push(message);
        if known.messages.len() > RECENT_MAX {
            known.messages.remove(0);
        }
    }

    /// Removes a deleted message.
    pub fn forget_message(&self, id: Uuid) {
        self.lock().messages.retain(|message| message.id != id);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Registers a user and signs them in.
///
/// # Errors
/// Fails if the server refuses.
pub async fn register(client: &mut Client, name: &str) -> Result<Person> {
    let username = format!("{name}.{}", Uuid::now_v7().simple());
    let email = format!("{username}@example.org");
    let body = json!({"email": email, "username": username, "display_name": name, "password": PASSWORD});
    let effect = Some(Effect { event_type: "user.registered", stream: None, fields: json!({"email": email, "username": username}) });
    let ask = Ask { method: Method::POST, path: "/v1/users".to_owned(), body: Some(body), effect };
    let registered = client.command(Uuid::nil(), "", ask).await.context("not registered")?;
    let id = registered.id("user_id").context("no user")?;
    for _ in 0..100 {
        if let Some(token) = client.sign_in(&email, PASSWORD).await {
            return Ok(Person { id, email, token });
        }
        client.pause(200).await;
    }
    anyhow::bail!("{email} cannot sign in")
}
