//! What this process does about the signing of the log, for operators.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use chrono::Utc;

use super::prove::Proofs;

/// What the consumer of this process does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Signing {
    /// This process runs no consumer.
    #[default]
    Absent,
    /// It has just started.
    Starts,
    /// Another process holds the proof.
    StandsBy,
    /// It signs.
    Signs {
        /// The number of events in its last head.
        size: i64,
    },
    /// The log has no name yet, so its first head is not signed.
    WaitsForName,
    /// The database does not answer. It tries again.
    Fails(String),
    /// It cannot or must not sign, until an operator acts.
    Refuses(String),
}

/// The state of this process's consumer, for metrics and operators.
#[derive(Debug, Default)]
pub struct Stats {
    /// The size of the last head that this process signed.
    pub size: AtomicI64,
    /// Whether it refuses to sign, or cannot.
    pub refuses: AtomicBool,
    /// How often it has stopped after a failure and started again.
    pub failures: AtomicU64,
    signing: Mutex<Signing>,
}

impl Stats {
    /// What the consumer does now.
    #[must_use]
    pub fn signing(&self) -> Signing {
        self.signing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets what the consumer does now. Returns what it did before.
    pub(super) fn change(&self, now: Signing) -> Signing {
        match &now {
            Signing::Signs { size } => {
                self.size.store(*size, Ordering::Relaxed);
                self.refuses.store(false, Ordering::Relaxed);
            }
            Signing::WaitsForName => self.refuses.store(false, Ordering::Relaxed),
            Signing::Refuses(_) => {
                self.refuses.store(true, Ordering::Relaxed);
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
            Signing::Fails(_) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
            Signing::Absent | Signing::Starts | Signing::StandsBy => {}
        }
        std::mem::replace(&mut *self.signing.lock().unwrap_or_else(PoisonError::into_inner), now)
    }
}

/// Whether the log is signed, in words for operators: `Ok` if nothing must be done. `None` if this process runs no
/// consumer.
pub async fn readiness(stats: &Stats, proofs: &Proofs) -> Option<Result<String, String>> {
    Some(match stats.signing() {
        Signing::Absent => return None,
        Signing::Starts => Ok("starts".to_owned()),
        Signing::Signs { size } => Ok(format!("signs; the newest head has {size} events")),
        Signing::WaitsForName => Ok("waits for a name: set public_url or proof_origin, and start the server again".to_owned()),
        Signing::Fails(reason) | Signing::Refuses(reason) => Err(reason),
        Signing::StandsBy => match proofs.unsigned().await {
            Ok(unsigned) if unsigned.is_old(Utc::now()) => Err(format!("another process holds the proof, and does not sign: {unsigned}")),
            Ok(_) => Ok("another process signs".to_owned()),
            Err(error) => Err(stores::error::chain(&error)),
        },
    })
}
