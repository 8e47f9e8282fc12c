//! Sign-ins that were refused, for the audit: who tried to come in, and from where. Neither the password nor a login that nobody has goes into
//! the log; and not more of them than so many an hour, so that a stranger cannot fill it.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use commands::Commands;
use domain::ids::{SessionId, UserId};
use domain::session::{Attempt, Cause};
use keyring::MasterKey;
use lru::LruCache;
use uuid::Uuid;

use super::sessions::Device;

/// For how long refused sign-ins are counted together.
const WINDOW: Duration = Duration::from_secs(60 * 60);
/// So many from one address are recorded in that time, by each process.
const RECORDED_MAX_OF_ADDRESS: u64 = 20;
/// So many in all.
const RECORDED_MAX: u64 = 500;
/// The most addresses that are remembered; of more, those that were not heard of longest are forgotten.
// Judged by the compiler: it cannot panic in a running server.
const ADDRESSES_MAX: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");
/// Of a digest, so many bytes are kept: enough to tell logins apart, not to find one.
const DIGEST_BYTES: usize = 8;

/// Notes refused sign-ins. Clones share everything.
#[derive(Clone)]
pub struct RefusedSignIns {
    commands: Commands,
    key: MasterKey,
    counts: Arc<Mutex<Counts>>,
}

/// What was recorded in this window, and what was not.
struct Counts {
    began: Instant,
    recorded: u64,
    addresses: LruCache<String, Counted>,
}

#[derive(Clone, Copy, Default)]
struct Counted {
    recorded: u64,
    not_recorded: u64,
}

impl RefusedSignIns {
    /// Notes them through those commands.
    #[must_use]
    pub fn new(commands: Commands, key: MasterKey) -> Self {
        Self { commands, key, counts: Arc::new(Mutex::new(Counts::new(Instant::now()))) }
    }

    /// Notes that somebody was not signed in. Whoever waits for the "no" gets it whether the log can be told or not.
    pub async fn note(&self, from: &Device, login: &str, user_id: Option<UserId>, is_locked_out: bool) {
        let address = from.ip_address.as_deref().unwrap_or_default();
        let Some(not_recorded) = self.counts.lock().unwrap_or_else(PoisonError::into_inner).admit(address, Instant::now()) else {
            return;
        };
        let cause = match user_id {
            None => Cause::UnknownLogin,
            Some(_) if is_locked_out => Cause::NotActive,
            Some(_) => Cause::WrongPassword,
        };
        let login_digest = user_id.is_none().then(|| digest(&self.key, login));
        let attempt = Attempt { user_id, login_digest, cause, not_recorded };
        // Nobody has shown who they are.
        let context = from.context(UserId::SYSTEM);
        if let Err(error) = self.commands.refuse_session(context, SessionId(Uuid::now_v7()), attempt).await {
            tracing::warn!(%error, "a refused sign-in was not recorded");
        }
    }
}

/// What tells one unknown login from another, and names neither.
fn digest(key: &MasterKey, login: &str) -> String {
    let digest = key.mac("backscroll login ", login.trim().to_lowercase().as_bytes());
    hex::encode(&digest[..DIGEST_BYTES])
}

impl Counts {
    fn new(began: Instant) -> Self {
        Self { began, recorded: 0, addresses: LruCache::new(ADDRESSES_MAX) }
    }

    /// Whether one more from that address is recorded; if so, how many before it were not.
    fn admit(&mut self, address: &str, now: Instant) -> Option<u64> {
        if now.duration_since(self.began) >= WINDOW {
            (self.began, self.recorded) = (now, 0);
            self.addresses.iter_mut().for_each(|(_, counted)| counted.recorded = 0);
        }
        let is_full = self.recorded >= RECORDED_MAX;
        let counted = self.addresses.get_or_insert_mut(address.to_owned(), Counted::default);
        if is_full || counted.recorded >= RECORDED_MAX_OF_ADDRESS {
            counted.not_recorded += 1;
            return None;
        }
        counted.recorded += 1;
        self.recorded += 1;
        Some(std::mem::take(&mut counted.not_recorded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_recorded_so_often_and_counted_from_then_on() {
        let began = Instant::now();
        let mut counts = Counts::new(began);
        for _ in 0..RECORDED_MAX_OF_ADDRESS {
            assert_eq!(counts.admit("203.0.113.9", began), Some(0));
        }
        assert_eq!(counts.admit("203.0.113.9", began), None);
        assert_eq!(counts.admit("203.0.113.9", began), None);
        assert_eq!(counts.admit("198.51.100.7", began), Some(0), "another is not held up");
        assert_eq!(counts.admit("203.0.113.9", began + WINDOW), Some(2), "what was not recorded is told later");
    }

    #[test]
    fn an_unknown_login_has_the_same_digest_today_as_in_an_old_log() {
        let key = MasterKey::from(std::array::from_fn(|place| place as u8));
        assert_eq!(digest(&key, " Ann@Example.org "), "3a14fa71815e79c7");
    }

    #[test]
    fn many_strangers_together_are_recorded_so_often() {
        let began = Instant::now();
        let mut counts = Counts::new(began);
        let recorded = (0..2 * RECORDED_MAX).filter(|n| counts.admit(&n.to_string(), began).is_some()).count();
        assert_eq!(recorded as u64, RECORDED_MAX);
    }
}
