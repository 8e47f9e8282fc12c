//! The events of retention.

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::ids::{ChannelId, MessageId};
use crate::retention_policy::RetentionAction;

/// The events of retention. The `rename` of each is its name on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RetentionEvent {
    /// The policy removed messages from their channel. A replay removes exactly the messages that the event names.
    #[serde(rename = "retention.applied")]
    Applied(Box<Application>),
}

/// The messages that a retention run removed, and the reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Application {
    /// The channel.
    pub channel_id: ChannelId,
    /// Whether they were archived or purged.
    pub action: RetentionAction,
    /// All messages were sent before this moment.
    pub cut_off: DateTime<Utc>,
    /// The policy's number of days at that time.
    pub days: u32,
    /// Whether pinned messages were kept.
    pub keep_pinned: bool,
    /// The messages, all of one month.
    pub messages: Vec<MessageId>,
}

impl RetentionEvent {
    /// The name on the wire.
    #[must_use]
    pub fn wire_name(&self) -> &'static str {
        match self {
            Self::Applied(_) => "retention.applied",
        }
    }

    /// The version of the payload; see [`crate::upcast`].
    #[must_use]
    pub fn version(&self) -> &'static str {
        match self {
            Self::Applied(_) => "1",
        }
    }
}

impl DomainEvent for RetentionEvent {
    fn event_type(&self) -> String {
        self.wire_name().into()
    }

    fn event_version(&self) -> String {
        self.version().into()
    }
}
