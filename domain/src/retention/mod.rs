//! Retention: the messages that a channel's policy has removed from it. There is one stream for each channel and month
//! of messages, so that the state for one message stays small, and so that posts never wait for a retention run.
//!
//! Not here: the policies themselves (`retention_policy`, a setting of workspaces and channels), and legal holds
//! (`workspace/hold.rs`), which win over every policy.

mod decide;
mod error;
mod event;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use decide::{RelatedAggregates, RetentionCandidates, cut};
pub use error::RetentionRefusal;
pub use event::{Application, RetentionEvent};

pub use crate::retention_policy::{RetentionAction, RetentionPolicy, policy_of};

use crate::context::Context;
use crate::ids::MessageId;

/// The removed messages of one month of a channel: the fold of its events, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Retention {
    /// The removed messages, with the action of each.
    pub gone: BTreeMap<MessageId, RetentionAction>,
}

impl Retention {
    /// The version of this state in snapshots. Raise it when the same events are folded into another state, or when the
    /// state is written as other JSON. Snapshots of other versions are not used. A test compares both with
    /// `domain/states`.
    pub const STATE_VERSION: u32 = 1;

    /// Decides which messages are removed now: those of `application` that were not removed before.
    #[must_use]
    pub fn decide(&self, application: Application) -> Vec<RetentionEvent> {
        decide::apply(self, application)
    }
}

impl Aggregate for Retention {
    const TYPE: &'static str = "retention";
    type Command = (Context, Application);
    type Event = RetentionEvent;
    type Error = RetentionRefusal;
    type Services = ();

    async fn handle(&mut self, (_, application): Self::Command, (): &(), sink: &EventSink<Self>) -> Result<(), RetentionRefusal> {
        for event in self.decide(application) {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: RetentionEvent) {
        match event {
            RetentionEvent::Applied(application) => {
                let Application { action, messages, .. } = *application;
                self.gone.extend(messages.into_iter().map(|id| (id, action)));
            }
        }
    }
}
