//! The state of the relay: of this process's, and of whichever process leads.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use sqlx::{PgPool, query};
use stores::log::{self, Lag};

/// The key of the leader's advisory lock. The appender's is 4701.
pub(super) const LOCK: i64 = 4_702;

/// Counts of the work of this process's relay, and why it fails at the moment.
#[derive(Debug, Default)]
pub struct RelayStats {
    /// The last position that this process published as the leader.
    pub position: AtomicI64,
    /// Whether this process is the leader.
    pub leading: AtomicBool,
    /// How many times publishing failed and was restarted.
    pub restarts: AtomicU64,
    trouble: Mutex<Option<String>>,
}

impl RelayStats {
    /// Why this process could not publish when it last tried. `None` if it publishes, or stands by.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn failed(&self, error: String) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    pub(super) fn works(&self) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// How far the log is published, by whichever process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// Whether a process leads at the moment.
    pub is_led: bool,
    /// The last position that was published, as the leader saved it. It may be a third of a second old.
    pub position: i64,
    /// The events that are not published yet.
    pub lag: Lag,
}

/// Returns how far the log is published.
///
/// # Errors
/// The database cannot be read.
pub async fn published(pool: &PgPool) -> sqlx::Result<Published> {
    let row = query!(
        r#"SELECT EXISTS (SELECT FROM pg_locks
                          WHERE locktype = 'advisory' AND granted AND objsubid = 1
                            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                            AND ((classid::bigint << 32) | objid::bigint) = $1) AS "is_led!",
                  COALESCE((SELECT position FROM public.relay_cursor), 0) AS "position!""#,
        LOCK
    );
    let row = row.fetch_one(pool).await?;
    Ok(Published { is_led: row.is_led, position: row.position, lag: log::lag(pool, row.position).await? })
}
