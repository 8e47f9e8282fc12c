//! Records each reading of an audit in the audit, before the caller gets the answer.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::AuditCommand;
use domain::audit::{Question, Reading as AuditReading};
use domain::ids::{UserId, WorkspaceId};
use domain::permission::Permission;
use lru::LruCache;

use super::Audits;
use crate::extract::Reading;
use crate::problem::Problem;

/// Within this time, the same request by the same caller counts as one reading, so that paging does not fill the log.
const SAME_READING_FOR: Duration = Duration::from_secs(5 * 60);
/// The longest time that a request waits until the audit shows its own reading.
const VISIBLE_WITHIN: Duration = Duration::from_secs(1);
/// The most readings that a process remembers. A forgotten reading is recorded again.
// The compiler evaluates it: it cannot panic at run time.
const READINGS_MAX: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

type Key = (UserId, WorkspaceId, &'static str, BTreeMap<String, String>);

/// The readings that this process recorded recently. Clones share the state.
#[derive(Clone)]
pub struct Readings(Arc<Mutex<LruCache<Key, Instant>>>);

impl Default for Readings {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(LruCache::new(READINGS_MAX))))
    }
}

impl Readings {
    fn is_recorded(&self, key: &Key) -> bool {
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readings.get(key).is_some_and(|at| at.elapsed() < SAME_READING_FOR)
    }

    fn remember(&self, key: Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(key, Instant::now());
    }
}

/// Refuses a caller who may not read the audit. Otherwise records the reading.
pub(in crate::http) async fn admit(
    audits: &Audits,
    reading: &Reading,
    workspace_id: WorkspaceId,
    question: Question,
    filter: BTreeMap<String, String>,
) -> Result<(), Problem> {
    reading.access.may(workspace_id, Permission::AuditRead).await?;
    let key = (reading.actor, workspace_id, name(question), filter.clone());
    if audits.readings.is_recorded(&key) {
        return Ok(());
    }
    let recorded = audits.commands.audit(reading.context(), workspace_id, AuditCommand::Read(AuditReading { question, filter })).await?;
    audits.readings.remember(key);
    // The first page then includes this reading, and the later pages fit to it. If the wait takes too long, a later
    // request shows it.
    let _ = audits.progress.wait_for(projections::RELATIONAL, recorded.position, VISIBLE_WITHIN).await;
    Ok(())
}

fn name(question: Question) -> &'static str {
    match question {
        Question::Entries => "entries",
        Question::History => "history",
        Question::AsOf => "as_of",
        Question::Difference => "difference",
        Question::Chain => "chain",
    }
}

/// The parts of a request that have a value, by name.
pub(in crate::http) fn present<const N: usize>(parts: [(&str, Option<String>); N]) -> BTreeMap<String, String> {
    parts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
