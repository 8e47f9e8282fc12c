//! The hub of a node: it reads the log's feed once, and gives the frames of events to all connections of the node.
//!
//! | module | content |
//! |---|---|
//! | `registry` | the connected users, and the position up to which the connections have the events |
//! | `outbox` | the frames that wait for one connection |
//! | `follow` | reads the log, and notices if it cannot be read |
//! | `deliver` | from an event to the queues of its readers |
//! | `missed` | reads the events that a connection missed from the log |
//! | [`subscription`] | the frames of one connection, in order |
//! | [`sent`] | a frame's bytes |
//! | [`stats`] | counts |
//!
//! Nothing is missed and nothing comes twice: a connection is registered at the position that the registry has reached.
//! Its queue gets the events behind it. Earlier events are read from the log.

mod deliver;
mod follow;
mod missed;
mod outbox;
mod registry;
pub mod sent;
pub mod stats;
pub mod subscription;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use commands::{CommandError, Commands};
use domain::ids::{UserId, WorkspaceId};
use stores::feed::Sources;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use crate::changes::Changes;
use crate::client::Connected;
use crate::close::Close;
use crate::cursor::Cursor;
use crate::ephemeral::{EphemeralFrame, Recipients};
use crate::error::ChangesError;

use missed::Missed;
use outbox::Outbox;
pub use registry::Bounds;
use registry::{Refusal, Registry, Subscriber};
use sent::{Sent, Start};
use stats::Stats;
use subscription::Subscription;

pub use outbox::Next;

/// The most frames for the readers of channels that wait. Further ones are dropped: they have no position.
const FOR_READERS_MAX: usize = 4_096;

/// How often a connection is registered again because its user has just joined a workspace.
const JOINS_MAX: usize = 5;

/// The hub. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    changes: Changes,
    commands: Commands,
    bounds: Bounds,
    registry: Mutex<Registry>,
    stats: Stats,
    for_readers: mpsc::Sender<ForReaders>,
    receiver: Mutex<Option<mpsc::Receiver<ForReaders>>>,
}

impl Inner {
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A frame for the readers of a channel, except one.
struct ForReaders {
    channel_id: domain::ids::ChannelId,
    but: Option<UserId>,
    frame: Arc<Sent>,
}

/// The parameters of a new connection.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The connection.
    pub connected: Connected,
    /// The client's address, if it is known. Of IPv6, its network: all addresses of a network count together.
    pub address: Option<IpAddr>,
    /// The cursor of a client that comes back.
    pub after: Option<Cursor>,
    /// The workspaces that the user is or was a member of, as of `as_of`.
    pub workspaces: Vec<WorkspaceId>,
    /// A position up to which `workspaces` is complete.
    pub as_of: i64,
}

/// Why a connection cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The user, or the address, has too many connections.
    #[error("there are too many connections of the user or of the address")]
    TooMany,
    /// The session has ended meanwhile.
    #[error("the session has ended")]
    SessionEnded,
    /// This node has the most connections that it may have, is about to stop, or cannot read the log.
    #[error("this server takes no further connection now")]
    Unavailable,
    /// The user is suspended, or a store failed.
    #[error(transparent)]
    Changes(#[from] ChangesError),
}

impl From<Refusal> for OpenError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooMany => Self::TooMany,
            Refusal::SessionEnded => Self::SessionEnded,
            Refusal::Full | Refusal::Draining | Refusal::NotReady => Self::Unavailable,
        }
    }
}

impl From<CommandError> for OpenError {
    fn from(error: CommandError) -> Self {
        Self::Changes(error.into())
    }
}

impl Hub {
    /// A hub. It takes connections once it [runs](Hub::run).
    #[must_use]
    pub fn new(changes: Changes, commands: Commands, bounds: Bounds) -> Self {
        let (for_readers, receiver) = mpsc::channel(FOR_READERS_MAX);
        let (registry, stats) = (Mutex::default(), Stats::default());
        Self { inner: Arc::new(Inner { changes, commands, bounds, registry, stats, for_readers, receiver: Mutex::new(Some(receiver)) }) }
    }

    /// The counts of this node's connections.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.inner.stats
    }

    /// The number of connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.inner.registry().len()
    }

    /// The workspaces that a connected user is or was a member of.
    #[must_use]
    pub fn workspaces_of(&self, user_id: UserId) -> Vec<WorkspaceId> {
        self.inner.registry().workspaces_of(user_id)
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// There are too many connections, the user is suspended, or the log cannot be read.
    pub async fn open(&self, opening: Opening) -> Result<Subscription, OpenError> {
        let Opening { connected, address, after, mut workspaces, as_of } = opening;
        let user_id = connected.user_id;
        let outbox = Outbox::new(self.inner.bounds.queue_bytes);
        let subscriber = Arc::new(Subscriber { connected, address, outbox });
        for _ in 0..JOINS_MAX {
            let position = self.inner.registry().add(&subscriber, &workspaces, &self.inner.bounds)?;
            let mut subscription = Subscription::new(self.inner.clone(), subscriber.clone());
            // Made after the registration: a suspension is either seen here, or it ends the connection.
            let access = self.inner.commands.read_access(user_id).await?;
            let joined = if as_of < position { access.joined(as_of, position).await? } else { Vec::new() };
            let more = joined.into_iter().filter(|workspace_id| !workspaces.contains(workspace_id)).collect::<Vec<_>>();
            if !more.is_empty() {
                // It may lack events of these workspaces already.
                drop(subscription);
                workspaces.extend(more);
                continue;
            }
            let (first, missed) = self.begin(&subscription, &workspaces, after, position, access).await?;
            subscription.begin(first, missed);
            return Ok(subscription);
        }
        Err(OpenError::Unavailable)
    }

    /// The first frames of a connection, and a reader of the events that it missed.
    async fn begin(
        &self,
        subscription: &Subscription,
        workspaces: &[WorkspaceId],
        after: Option<Cursor>,
        position: i64,
        access: commands::ReadAccess,
    ) -> Result<(Vec<Arc<Sent>>, Missed), OpenError> {
        let (connection_id, ping_seconds) = (subscription.connected().connection_id, self.inner.bounds.ping_seconds);
        let (changes, here) = (&self.inner.changes, self.inner.changes.cursor(position));
        let hello = |begin: Cursor, start: Start| Sent::hello(begin, start, connection_id, ping_seconds);
        let head = access.position().max(position);
        let missed = |after: i64| Missed::new(changes.clone(), self.inner.commands.clone(), access, after, position);
        let Some(after) = after else { return Ok((vec![hello(here, Start::New)], missed(position))) };
        for workspace_id in workspaces.iter().copied().map(Some).chain([None]) {
            if let Some(reason) = changes.reset(workspace_id, after, head).await? {
                return Ok((vec![hello(here, Start::Reset), Sent::reset(here, reason)], missed(position)));
            }
        }
        // The client may have been at a node that is ahead of this one.
        subscription.skip_to(after.position);
        Ok((vec![hello(after, Start::Resumed)], missed(after.position)))
    }

    /// Gives a frame without a position to connections of this node.
    pub fn send(&self, to: Recipients, frame: EphemeralFrame) {
        let frame = Sent::ephemeral(frame.json().clone());
        let mut wakers = Vec::new();
        {
            let registry = self.inner.registry();
            match to {
                Recipients::User(user_id) => registry.push(user_id, &frame, &mut wakers),
                Recipients::Users(users) => users.into_iter().for_each(|user_id| registry.push(user_id, &frame, &mut wakers)),
                Recipients::Connections(ids) => ids.into_iter().for_each(|id| registry.push_to(id, &frame, &mut wakers)),
                Recipients::ReadersOf { channel_id, but } => {
                    if !registry.is_empty() && self.inner.for_readers.try_send(ForReaders { channel_id, but, frame }).is_err() {
                        debug!("a frame without a position was dropped: too many wait");
                    }
                }
            }
        }
        wakers.into_iter().for_each(std::task::Waker::wake);
    }

    /// Takes no further connection, and asks all to come back elsewhere, spread over this time.
    pub fn drain(&self, over: Duration) {
        let wakers = self.inner.registry().drain(over);
        wakers.into_iter().for_each(std::task::Waker::wake);
    }

    /// Closes all connections.
    pub fn close_all(&self, close: Close) {
        let wakers = self.inner.registry().end_all(close);
        wakers.into_iter().for_each(std::task::Waker::wake);
    }

    /// Reads the log until shutdown. After any failure it tries again, without limit.
    pub async fn run(self, sources: Sources, shutdown: CancellationToken) {
        let receiver = self.inner.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let tells = async {
            match receiver {
                Some(receiver) => self.send_to_readers(receiver).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.keep_following(&sources) => {}
            () = tells => {}
            () = shutdown.cancelled() => {}
        }
        self.close_all(Close::ServerDrains);
    }

    /// Gives frames to the readers of channels, one after the other.
    async fn send_to_readers(&self, mut receiver: mpsc::Receiver<ForReaders>) {
        while let Some(ForReaders { channel_id, but, frame }) = receiver.recv().await {
            let moment = match self.inner.commands.readers_now(channel_id).await {
                Ok(Some(moment)) => moment,
                Ok(None) => continue,
                Err(error) => {
                    debug!(%error, "a frame without a position was dropped");
                    continue;
                }
            };
            let mut wakers = Vec::new();
            {
                let registry = self.inner.registry();
                let readers = deliver::readers(&registry, &moment, channel_id);
                let readers = readers.into_iter().filter(|user_id| Some(*user_id) != but);
                readers.for_each(|user_id| registry.push(user_id, &frame, &mut wakers));
            }
            wakers.into_iter().for_each(std::task::Waker::wake);
        }
        error!("no frames without a position are given any more");
    }
}
