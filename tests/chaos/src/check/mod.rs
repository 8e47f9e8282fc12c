//! The checker: it reads the log, the read models and the clients' records by plain SQL and plain JSON, and reports
//! every violation.
//!
//! The checker shares no code with the product. This crate depends on none of our crates (`tests/it/architecture.rs`
//! checks that).

mod acks;
mod answers;
mod authority;
mod fold;
mod log;
mod read;
mod sockets;
#[cfg(test)]
mod tests;
mod unseal;

use std::collections::HashMap;

use anyhow::Result;
use sqlx::PgPool;
use uuid::Uuid;

use crate::record::Taken;
use fold::Fold;
use log::Log;

/// A broken guarantee, in words.
pub type Violation = String;

/// The largest number of reported violations of one kind. The first ones say most.
const TOLD_MAX: usize = 8;

/// Judges round after round, each by its new events.
#[derive(Debug)]
pub struct Checker {
    pool: PgPool,
    keys: unseal::Keys,
    log: Log,
    fold: Fold,
    authority: authority::Authority,
    sight: sockets::Sight,
    texts: acks::Texts,
}

impl Checker {
    /// A checker that has read nothing yet.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            keys: unseal::Keys::default(),
            log: Log::default(),
            fold: Fold::default(),
            authority: authority::Authority::default(),
            sight: sockets::Sight::default(),
            texts: HashMap::new(),
        }
    }

    /// The number of judged events.
    #[must_use]
    pub fn head(&self) -> i64 {
        self.log.head()
    }

    /// Judges everything since the last call. With `thorough`, it compares every row of the read models, not only the
    /// changed ones.
    ///
    /// # Errors
    /// Fails if the database cannot be read.
    pub async fn check(&mut self, taken: &Taken, thorough: bool) -> Result<Vec<Violation>> {
        let mut found = Vec::new();
        let from = self.log.head();
        let events = log::read(&self.pool, &mut self.keys, from).await?;
        let keys = log::read_keys(&self.pool, from).await?;
        self.log.extend(events, keys, &mut found);
        let fresh = self.log.since(from);
        acks::count_texts(&mut self.texts, fresh);
        for event in fresh {
            self.authority.check(event, &mut found);
            self.sight.apply(event);
            self.fold.apply(event, &mut found);
        }
        acks::check(&self.log, &self.texts, &taken.commands, &mut found);
        answers::check(taken, &mut found);
        sockets::check(&self.log, &self.sight, from, &taken.followed, &mut found);
        read::check(&self.pool, &mut self.fold, self.log.head(), thorough, &mut found).await?;
        found.truncate(TOLD_MAX * 4);
        Ok(found)
    }

    /// The number of events of each type that an import wrote into a workspace.
    #[must_use]
    pub fn imported(&self, workspace: Uuid) -> HashMap<String, usize> {
        let mut count = HashMap::new();
        for event in self.log.since(0).iter().filter(|event| event.workspace == Some(workspace) && event.is_import) {
            *count.entry(event.event_type.clone()).or_default() += 1;
        }
        count
    }
}

/// Reports a violation, unless enough of its kind were reported.
pub(crate) fn tell(found: &mut Vec<Violation>, kind: &str, what: impl FnOnce() -> String) {
    let told = found.iter().filter(|violation| violation.starts_with(kind)).count();
    if told < TOLD_MAX {
        found.push(format!("{kind}: {}", what()));
    }
}
