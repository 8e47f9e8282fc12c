//! Whether a process can do what it is for. Each part of the answer has a name, a state in words, and a weight: a part
//! may be missing for a while, or the process is of no use without it.
//!
//! What a process is for depends on its roles: one that serves HTTP needs Postgres, and does without everything else
//! for a while. One that only publishes needs NATS.

mod checks;
mod leaving;

use std::sync::Arc;

use async_nats::Client;
use commands::relay::RelayStats;
use domain::ids::LogId;
use futures::future::{BoxFuture, FutureExt, join_all, ready};
use ledger::proof::{self, Proofs};
use projections::Connections;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use stores::nats::Link;

use crate::roles::Roles;

pub use leaving::Leaving;

/// The parts of this process that its health depends on. Clones share everything.
#[derive(Clone)]
pub struct Health {
    /// What the process is for.
    pub roles: Roles,
    /// Whether the process is about to stop.
    pub leaving: Leaving,
    /// The connections of the read side.
    pub stores: Connections,
    /// NATS.
    pub nats: Client,
    /// Why NATS cannot be used at the moment.
    pub link: Link,
    /// The identifier of the log.
    pub log_id: LogId,
    /// The state of this process's relay.
    pub relay: Arc<RelayStats>,
    /// The signed heads of the log.
    pub proofs: Proofs,
    /// The state of this process's proof consumer.
    pub proof: Arc<proof::Stats>,
}

/// How much depends on the state of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The part works.
    Works,
    /// The part fails, and the process goes on without it for a while.
    Degraded,
    /// The process is of no use now.
    Unavailable,
}

/// The state of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    verdict: Verdict,
    state: String,
}

impl Part {
    /// A part that works.
    pub fn works(state: impl Into<String>) -> Self {
        Self { verdict: Verdict::Works, state: state.into() }
    }

    /// A part that fails.
    pub fn fails(verdict: Verdict, state: impl Into<String>) -> Self {
        Self { verdict, state: state.into() }
    }

    /// Whether it works.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.verdict == Verdict::Works
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("ok", &self.is_ok())?;
        map.serialize_entry("state", &self.state)?;
        map.end()
    }
}

/// The state of a process and of its parts, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    parts: Vec<(&'static str, Part)>,
}

impl Readiness {
    /// Whether the process can do what it is for.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.verdict() != Verdict::Unavailable
    }

    /// `ready`, `degraded` if a part fails without which the process goes on for a while, or `unavailable`.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self.verdict() {
            Verdict::Works => "ready",
            Verdict::Degraded => "degraded",
            Verdict::Unavailable => "unavailable",
        }
    }

    /// The parts, by name.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &Part)> {
        self.parts.iter().map(|(name, part)| (*name, part))
    }

    /// Whether a part works.
    #[must_use]
    pub fn is_ok(&self, name: &str) -> bool {
        self.parts().any(|(part, state)| part == name && state.is_ok())
    }

    fn verdict(&self) -> Verdict {
        self.parts.iter().map(|(_, part)| part.verdict).max().unwrap_or(Verdict::Works)
    }
}

/// The status, and then each part under its name.
impl Serialize for Readiness {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.parts.len() + 1))?;
        map.serialize_entry("status", self.status())?;
        for (name, part) in &self.parts {
            map.serialize_entry(name, part)?;
        }
        map.end()
    }
}

/// A part's name and its check. A part that is not configured has no state.
type Check<'a> = (&'static str, BoxFuture<'a, Option<Part>>);

impl Health {
    /// Checks every part, all at the same time. A further part is a further line.
    pub async fn readiness(&self) -> Readiness {
        let checks: Vec<Check<'_>> = vec![
            ("process", ready(Some(self.process())).boxed()),
            ("postgres", self.postgres().boxed()),
            ("migrations", self.migrations().boxed()),
            ("log", self.log().boxed()),
            ("redis", self.redis().boxed()),
            ("nats", ready(Some(self.nats())).boxed()),
            ("relay", self.relay().boxed()),
            ("projector", self.projectors().boxed()),
            ("parked", self.parked().boxed()),
            ("proof", self.proof().boxed()),
            ("elasticsearch", self.elasticsearch().boxed()),
        ];
        let parts = checks.into_iter().map(|(name, check)| async move { Some((name, check.await?)) });
        Readiness { parts: join_all(parts).await.into_iter().flatten().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readiness(verdicts: &[(&'static str, Verdict)]) -> Readiness {
        Readiness { parts: verdicts.iter().map(|(name, verdict)| (*name, Part::fails(*verdict, "so"))).collect() }
    }

    #[test]
    fn the_worst_part_decides_the_status() {
        for (parts, status, serves) in [
            (&[("a", Verdict::Works)][..], "ready", true),
            (&[("a", Verdict::Works), ("b", Verdict::Degraded)], "degraded", true),
            (&[("a", Verdict::Degraded), ("b", Verdict::Unavailable), ("c", Verdict::Works)], "unavailable", false),
        ] {
            let readiness = readiness(parts);
            assert_eq!((readiness.status(), readiness.serves()), (status, serves));
        }
    }

    #[test]
    fn each_part_has_its_name_beside_the_status() {
        let text = serde_json::to_string(&readiness(&[("redis", Verdict::Degraded)])).expect("JSON");
        assert_eq!(text, r#"{"status":"degraded","redis":{"ok":false,"state":"so"}}"#);
    }
}
