//! What retention has done.

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::ids::{ChannelId, MessageId};
use crate::retention_policy::RetentionAction;

/// What retention has done. The wire name of each is its `rename`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RetentionEvent {
    /// Messages left their channel. Those that are named, and no others, whenever it is read again.
    #[serde(rename = "retention.applied")]
    Applied(Box<Application>),
}

/// Which messages left, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Application {
    /// The channel.
    pub channel_id: ChannelId,
    /// Whether they are kept aside, or emptied.
    pub action: RetentionAction,
    /// They were all sent before this moment.
    pub cut_off: DateTime<Utc>,
    /// What the policy said then.
    pub days: u32,
    /// Whether pinned messages were left out.
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
