//! Retention: which messages of a channel have left it, because its policy said so. One stream for each channel and month of messages, so that
//! what must be known of one message stays small, and so that nobody's posts wait for it.
//! Not here: the policies themselves (`retention_policy`, a setting of workspaces and channels), and legal holds (`workspace/hold.rs`), which win
//! over every policy.

mod decide;
mod error;
mod event;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use decide::{Cut, Surroundings, cut};
pub use error::RetentionRefusal;
pub use event::{Application, RetentionEvent};

pub use crate::retention_policy::{RetentionAction, RetentionPolicy, policy_of};

use crate::context::Context;
use crate::ids::MessageId;

/// What has become of the messages of one month of a channel: the fold of its events, nothing else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Retention {
    /// Those that left, and how.
    pub gone: BTreeMap<MessageId, RetentionAction>,
}

impl Retention {
    /// The version of this state in snapshots. Raise it whenever the same events are folded into another state, or the state is written as
    /// other JSON: snapshots of other versions are not used. A test compares both with `domain/states`.
    pub const STATE_VERSION: u32 = 1;

    /// What happens when messages are to leave: those that left already are left out.
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
