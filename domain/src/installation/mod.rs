//! The installation: this server as a whole. Its events say what operators did to the read models, and when the log's
//! signing key changed. There is one stream, with the nil UUID.
//!
//! Not here: the permission to do so, which operators and users of the command line have (the write side checks it),
//! and the replays themselves (`projections`).

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
pub use event::{InstallationEvent, KeyChange, ReplayEnd, ReplayOutcome, ReplayScope, ReplayStart, SkippedEvent};

use crate::context::Context;

/// The state that decisions about the installation need: the fold of its events, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Installation {
    /// The running replay of each projection.
    pub running: BTreeMap<String, Uuid>,
    /// The positions that each projection skips.
    pub skipped: BTreeMap<String, BTreeSet<i64>>,
    /// The newest signing key that the log has recorded.
    pub proof_key: Option<String>,
}

impl Installation {
    /// The version of this state in snapshots. Raise it when the same events are folded into another state, or when the
    /// state is written as other JSON. Snapshots of other versions are not used. A test compares both with
    /// `domain/states`.
    pub const STATE_VERSION: u32 = 1;

    /// Decides `command`, and returns the events that follow from it.
    ///
    /// # Errors
    /// The rules refuse the command.
    pub fn decide(&self, _: &Context, command: InstallationCommand) -> Result<Vec<InstallationEvent>, InstallationRefusal> {
        match command {
            InstallationCommand::StartReplay(start) => Ok(decide::start_replay(self, *start)),
            InstallationCommand::EndReplay(end) => decide::end_replay(self, *end),
            InstallationCommand::SkipEvent(skipped) => Ok(decide::skip_event(self, skipped)),
            InstallationCommand::NoteRetry { projection, park_key, position, events } => {
                Ok(vec![InstallationEvent::EventRetried { projection, park_key, position, events }])
            }
            InstallationCommand::NoteKeyRotation { vkey, change } => Ok(decide::note_key_rotation(self, vkey, change)),
            InstallationCommand::RemoveClientIds { keys } => Ok(vec![InstallationEvent::ClientIdsRemoved { keys }]),
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
            InstallationEvent::ProofKeyRotated { vkey, .. } => self.proof_key = Some(vkey),
            InstallationEvent::ReplaySwitchedWithDifferences { .. }
            | InstallationEvent::EventRetried { .. }
            | InstallationEvent::ClientIdsRemoved { .. } => {}
        }
    }
}
