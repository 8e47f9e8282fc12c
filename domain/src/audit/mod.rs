//! The use of a workspace's audit: who read it, and who exported it. Each workspace has one such stream. Not here: the
//! entries of the audit, which are all other streams.

mod event;

use std::convert::Infallible;

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use event::{AuditEvent, Export, ExportFormat, Question, Reading};

use crate::context::Context;

/// How often an audit was used: the fold of its events, and nothing else. No decision depends on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// How often it was read.
    pub reads: u64,
    /// How often it was exported.
    pub exports: u64,
}

/// The commands of an audit. The write side has checked the caller's permission before.
#[derive(Clone, Debug, PartialEq)]
pub enum AuditCommand {
    /// Record that it is read.
    Read(Reading),
    /// Record that it is exported.
    Export(Export),
}

impl AuditCommand {
    /// The command's name in the metadata of its events.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Read(_) => "read audit",
            Self::Export(_) => "export audit",
        }
    }
}

impl Audit {
    /// The version of this state in snapshots. Raise it when the same events are folded into another state, or when the
    /// state is written as other JSON. Snapshots of other versions are not used. A test compares both with
    /// `domain/states`.
    pub const STATE_VERSION: u32 = 1;

    /// Decides `command`, and returns the event that follows from it. Nothing is ever refused here.
    #[must_use]
    pub fn decide(&self, command: AuditCommand) -> Vec<AuditEvent> {
        match command {
            AuditCommand::Read(reading) => vec![AuditEvent::Read(reading)],
            AuditCommand::Export(export) => vec![AuditEvent::Exported(export)],
        }
    }
}

impl Aggregate for Audit {
    const TYPE: &'static str = "audit";
    type Command = (Context, AuditCommand);
    type Event = AuditEvent;
    type Error = Infallible;
    type Services = ();

    async fn handle(&mut self, (_, command): Self::Command, (): &(), sink: &EventSink<Self>) -> Result<(), Infallible> {
        for event in self.decide(command) {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: AuditEvent) {
        match event {
            AuditEvent::Read(_) => self.reads += 1,
            AuditEvent::Exported(_) => self.exports += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_reading_is_recorded() {
        let reading = Reading { question: Question::Entries, filter: BTreeMap::new() };
        let mut audit = Audit::default();
        for _ in 0..2 {
            let events = audit.decide(AuditCommand::Read(reading.clone()));
            assert_eq!(events, [AuditEvent::Read(reading.clone())]);
            events.into_iter().for_each(|event| audit.apply(event));
        }
        assert_eq!((audit.reads, audit.exports), (2, 0));
    }
}
