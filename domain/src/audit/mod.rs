//! The audit of a workspace as a thing that is read and exported itself: one stream a workspace. What is in the audit is all other streams.

mod event;

use std::convert::Infallible;

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use event::{AuditEvent, Export, ExportFormat, Question, Reading};

use crate::context::Context;

/// How often an audit was asked: the fold of its events, nothing else. No decision rests on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// How often it was read.
    pub reads: u64,
    /// How often it was exported.
    pub exports: u64,
}

/// What can be asked of the audit, once somebody may.
#[derive(Clone, Debug, PartialEq)]
pub enum AuditCommand {
    /// Note that it is read.
    Read(Reading),
    /// Note that it is exported.
    Export(Export),
}

impl AuditCommand {
    /// The name under which the log remembers it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Read(_) => "read audit",
            Self::Export(_) => "export audit",
        }
    }
}

impl Audit {
    /// The version of this state in snapshots. Raise it whenever the same events are folded into another state, or the
    /// state is written as other JSON: snapshots of other versions are not used. A test compares both with
    /// `domain/states`.
    pub const STATE_VERSION: u32 = 1;

    /// What happens when `command` is asked of this audit: whoever may ask is noted, always.
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
    fn every_reading_is_noted() {
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
