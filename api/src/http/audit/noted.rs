//! That somebody reads an audit is in the audit too, before they are answered.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::AuditCommand;
use domain::audit::{Question, Reading as Asked};
use domain::ids::{UserId, WorkspaceId};
use domain::permission::Permission;
use lru::LruCache;

use super::Audits;
use crate::extract::Reading;
use crate::problem::Problem;

/// For how long the same question by the same person is one reading: turning its pages is not to fill the log.
const ONE_READING: Duration = Duration::from_secs(5 * 60);
/// How long a reading waits until it is seen in the audit itself.
const SEEN_WITHIN: Duration = Duration::from_secs(1);
/// The most readings that are remembered; one that is forgotten is noted once more.
// Judged by the compiler: it cannot panic in a running server.
const READINGS_MAX: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

type Key = (UserId, WorkspaceId, &'static str, BTreeMap<String, String>);

/// What was noted just now, in this process. Clones share everything.
#[derive(Clone)]
pub struct Readings(Arc<Mutex<LruCache<Key, Instant>>>);

impl Default for Readings {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(LruCache::new(READINGS_MAX))))
    }
}

impl Readings {
    fn is_noted(&self, key: &Key) -> bool {
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readings.get(key).is_some_and(|at| at.elapsed() < ONE_READING)
    }

    fn noted(&self, key: Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(key, Instant::now());
    }
}

/// Lets in who may read the audit, and notes that they do.
pub(in crate::http) async fn admit(
    audits: &Audits,
    reading: &Reading,
    workspace_id: WorkspaceId,
    question: Question,
    filter: BTreeMap<String, String>,
) -> Result<(), Problem> {
    reading.access.may(workspace_id, Permission::AuditRead).await?;
    let key = (reading.actor, workspace_id, name(question), filter.clone());
    if audits.readings.is_noted(&key) {
        return Ok(());
    }
    let noted = audits.commands.audit(reading.context(), workspace_id, AuditCommand::Read(Asked { question, filter })).await?;
    audits.readings.noted(key);
    // So that the first page has it too, and the pages behind it have no other beginning. Where that takes long, it is seen later.
    let _ = audits.progress.wait_for(projections::RELATIONAL, noted.position, SEEN_WITHIN).await;
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

/// The parts of a question that say something, by their names.
pub(in crate::http) fn said<const N: usize>(parts: [(&str, Option<String>); N]) -> BTreeMap<String, String> {
    parts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
