//! Signals: presence, typing, read markers and unread counts. Live connections carry them, and they are not in the log.
//! Their users may be connected to any node.
//!
//! A signal comes from a client's frame or from a request over HTTP. This node sends it to its connections, and a notice to
//! the other nodes, which send it to theirs (`stores::nats::bus`). The states themselves are in Redis or Postgres (`state`,
//! `projections`). So a notice may be lost: presence is looked up again every minute, and a client that comes back reads the
//! rest over HTTP.
//!
//! Not here: the connections (`live`), and the permissions (`commands`).

mod asked;
mod connected;
mod frames;
mod local;
mod notice;
mod presence;
mod refusal;
mod typing;
mod unread;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use commands::Commands;
use domain::ids::UserId;
use live::typing::TypingRate;
use live::watches::Watches;
use live::{ClientFrame, ClientFrames, Connected, DeviceState, EphemeralFrame, FrameRefusal, Hub};
use projections::cache::Caches;
use projections::{Progress, ReadModels};
use serde_json::Value;
use state::connections::Connections;
use state::presence::{Presences, Status};
use state::typing::Typing;
use stores::nats::bus::{Bus, BusStats};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use asked::{Said, ToWatch};
pub use frames::{PresenceFields, PresenceOfPerson, ReadMarkerFields, TypingFields, UnreadFields};
use local::Local;
pub use notice::Marker;
use notice::Notice;
use unread::DueUnread;

use crate::limit::Limits;

/// How often presence and unread counts are sent. The changes of one interval are sent together.
const TOLD_EVERY: Duration = Duration::from_millis(250);
/// How often some of the watched people are looked up without a notice.
const REFRESH_EVERY: Duration = Duration::from_secs(5);
/// The number of these steps in which everybody is looked up once: within a minute.
const REFRESH_STEPS: usize = 12;
/// The most unread counts that are read at a time.
const COUNTED_AT_ONCE: usize = 16;

/// The parts that signals are made of.
#[derive(Clone)]
pub struct Parts {
    /// The write side, which checks permissions.
    pub commands: Commands,
    /// The sockets of this node.
    pub hub: Hub,
    /// The read side.
    pub read_models: ReadModels,
    /// Unread counts.
    pub caches: Caches,
    /// The positions of the projections.
    pub progress: Progress,
    /// The presence of users.
    pub presences: Presences,
    /// The open connections.
    pub connections: Connections,
    /// The users who are typing.
    pub typing: Typing,
    /// The other nodes.
    pub bus: Bus,
    /// The rate limits, which count frames of clients.
    pub limits: Limits,
    /// The name of this node.
    pub node: String,
}

/// The signals of this node. Clones share everything.
#[derive(Clone)]
pub struct Signals(Arc<Inner>);

struct Inner {
    parts: Parts,
    local: Local,
    watches: Watches,
    typing_rate: TypingRate,
    to_watch: ToWatch,
    said: Said,
    due_unread: DueUnread,
    counting: Semaphore,
    reading_sights: Semaphore,
}

impl Signals {
    /// Signals made of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            parts,
            local: Local::default(),
            watches: Watches::default(),
            typing_rate: TypingRate::default(),
            to_watch: ToWatch::default(),
            said: Said::default(),
            due_unread: DueUnread::default(),
            counting: Semaphore::new(COUNTED_AT_ONCE),
            reading_sights: Semaphore::new(presence::AT_ONCE),
        }))
    }

    /// Sends to the connections of this node what is due, and the notices of other nodes, until `shutdown`.
    pub async fn run(self, notices: mpsc::Receiver<Vec<Value>>, shutdown: CancellationToken) {
        // At the same time: a notice does not wait while presence is looked up in a slow store.
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.keep_hearing(notices) => {}
            () = self.keep_telling() => {}
        }
    }

    /// Sends the notices of other nodes to the connections of this node.
    async fn keep_hearing(&self, mut notices: mpsc::Receiver<Vec<Value>>) {
        while let Some(notices) = notices.recv().await {
            self.receive(notices);
        }
        // There are no other nodes. This node goes on with its own notices.
        std::future::pending().await
    }

    /// Sends to the connections of this node what is due, step by step.
    async fn keep_telling(&self) {
        let (mut ticks, mut refreshes) = (interval(TOLD_EVERY), interval(REFRESH_EVERY));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        refreshes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = refreshes.tick() => self.0.watches.refresh(REFRESH_STEPS),
                _ = ticks.tick() => self.send_due().await,
            }
        }
    }

    /// The counts of the notices to and from other nodes.
    #[must_use]
    pub fn bus(&self) -> &BusStats {
        self.0.parts.bus.stats()
    }

    /// The number of people that connections of this node watch.
    #[must_use]
    pub fn watched(&self) -> usize {
        self.0.watches.people()
    }

    async fn send_due(&self) {
        for user_id in self.0.local.take_gone(Instant::now()) {
            self.presence_changed(user_id);
        }
        self.record_what_was_said();
        self.watch_as_asked().await;
        self.send_presence().await;
        self.count_due();
    }

    fn receive(&self, notices: Vec<Value>) {
        for notice in notices {
            if let Ok(notice) = serde_json::from_value(notice) {
                self.send_here(&notice);
            }
        }
    }

    /// Sends the frames of a notice to the connections of this node, and the notice to the other nodes.
    fn send_everywhere(&self, notice: &Notice) {
        self.send_here(notice);
        self.0.parts.bus.send(notice);
    }

    fn send_here(&self, notice: &Notice) {
        match notice {
            Notice::Typing { workspace_id, channel_id, user_id } => {
                self.send_typing(*workspace_id, *channel_id, *user_id);
            }
            Notice::Presence { user_id } => self.0.watches.note(*user_id),
            Notice::Marker { user_id, workspace_id, marker } => self.send_marker(*user_id, *workspace_id, marker.as_ref()),
        }
    }
}

#[async_trait]
impl ClientFrames for Signals {
    async fn opened(&self, connection: &Connected) {
        if self.0.local.open(connection.connection_id, connection.user_id) {
            self.record_then_note(connection.clone());
        } else {
            self.record_later(connection.clone());
        }
    }

    async fn received(&self, connection: &Connected, frame: ClientFrame) -> Result<Option<EphemeralFrame>, FrameRefusal> {
        self.0.parts.limits.count_frame(connection.user_id, &frame).await.map_err(refusal::of_frame)?;
        match frame {
            ClientFrame::Ping {} => Ok(None),
            ClientFrame::Typing { channel_id } => {
                if !self.0.typing_rate.was_told(channel_id, connection.user_id, std::time::Instant::now()) {
                    self.type_in(connection.user_id, channel_id).await.map_err(refusal::of_frame)?;
                }
                Ok(None)
            }
            ClientFrame::Presence { state } => {
                if self.0.local.set(connection.connection_id, status_of(state)) {
                    self.0.said.put(connection, ());
                }
                Ok(None)
            }
            ClientFrame::Watch { users } => {
                refusal::unless_few(&users)?;
                self.0.to_watch.put(connection, users);
                Ok(None)
            }
            ClientFrame::Unread { workspace_id } => {
                self.unread_frame(connection.user_id, workspace_id, None).await.map_err(refusal::of_frame)
            }
        }
    }

    async fn renewed(&self, connection: &Connected) {
        self.record_later(connection.clone());
    }

    async fn closed(&self, connection: &Connected) {
        self.close(connection).await;
    }
}

fn status_of(state: DeviceState) -> Status {
    match state {
        DeviceState::Online => Status::Online,
        DeviceState::Away => Status::Away,
    }
}

/// The presence of a user may have changed, by something that is no socket.
impl Signals {
    /// Notes it on every node.
    pub fn presence_changed(&self, user_id: UserId) {
        self.send_everywhere(&Notice::Presence { user_id });
    }
}
