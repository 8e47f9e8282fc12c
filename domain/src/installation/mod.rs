//! The installation: this server as a whole, what its operators did to the read models, and to the key of the proof. One stream, of the nil UUID.
//! Not here: who may (operators, and whoever has the command line), which the write side judges; the replays themselves (`projections`).

mod command;
mod decide;
mod error;
mod event;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use command::InstallationCommand;
pub use error::InstallationRefusal;
pub use event::{InstallationEvent, ReplayEnd, ReplayOutcome, ReplayScope, ReplayStart, SkippedEvent};

use crate::context::Context;

/// What a decision about the installation needs to know: the fold of its events, nothing else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Installation {
    /// The replay under way of each projection.
    pub running: BTreeMap<String, Uuid>,
    /// The positions that each projection leaves out.
    pub skipped: BTreeMap<String, BTreeSet<i64>>,
    /// The key of the proof that the log was told of last.
    pub proof_key: Option<String>,
}

impl Installation {
    /// The version of this state in snapshots. Raise it whenever the same events are folded into another state, or the
    /// state is written as other JSON: snapshots of other versions are not used. A test compares both with
    /// `domain/states`.
    pub const STATE_VERSION: u32 = 1;

    /// What happens when `command` is asked of the installation, or why it does not.
    ///
    /// # Errors
    /// The refusal.
    pub fn decide(&self, _: &Context, command: InstallationCommand) -> Result<Vec<InstallationEvent>, InstallationRefusal> {
        match command {
            InstallationCommand::StartReplay(start) => Ok(decide::start_replay(self, *start)),
            InstallationCommand::EndReplay(end) => decide::end_replay(self, *end),
            InstallationCommand::SkipEvent(skipped) => Ok(decide::skip_event(self, skipped)),
            InstallationCommand::NoteRetry { projection, park_key, position, events } => {
                Ok(vec![InstallationEvent::EventRetried { projection, park_key, position, events }])
            }
            InstallationCommand::NoteKeyRotation { vkey } => Ok(decide::note_key_rotation(self, vkey)),
        }
    }
}

impl Aggregate for Installation {
    const TYPE: &'static str = "installation";
    type Command = (Context, InstallationCommand);
    type Event = InstallationEvent;
    type Error = InstallationRefusal;
    type Services = ();

    async fn handle(&mut self, (context, command): Self::Command, (): &(), sink: &EventSink<Self>) -> Result<(), InstallationRefusal> {
        for event in self.decide(&context, command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: InstallationEvent) {
        match event {
            InstallationEvent::ReplayStarted(start) => drop(self.running.insert(start.projection, start.replay_id)),
            InstallationEvent::ReplayEnded(end) => drop(self.running.remove(&end.projection)),
            InstallationEvent::EventSkipped(skipped) => drop(self.skipped.entry(skipped.projection).or_default().insert(skipped.position)),
            InstallationEvent::ProofKeyRotated { vkey } => self.proof_key = Some(vkey),
            InstallationEvent::ReplaySwitchedWithDifferences { .. } | InstallationEvent::EventRetried { .. } => {}
        }
    }
}
