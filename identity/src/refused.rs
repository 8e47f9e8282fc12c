//! Refused sign-ins, which are recorded for the audit: the user who was tried, and the address. The log has neither the
//! password nor a login that no user has. The number of records in an hour is limited, so that a stranger cannot fill
//! the log.
//!
//! One attacker also cannot use up the records of others: attempts at known accounts and at unknown logins have
//! separate limits, and each account and each address has a limit of its own. Attempts above a limit are counted. Once
//! a minute a summary records the last of them, and their number.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use commands::Commands;
use domain::ids::{SessionId, UserId};
use domain::session::{Attempt, RefusalCause};
use keyring::MasterKey;
use lru::LruCache;
use state::limits::client_network;
use uuid::Uuid;

use super::sessions::Device;

/// The window in which refused sign-ins are counted.
const WINDOW: Duration = Duration::from_secs(60 * 60);
/// How many attempts at unknown logins from one address are recorded in a window, by each process.
const RECORDED_MAX_OF_ADDRESS: u64 = 20;
/// How many attempts at one account are recorded in a window, from all addresses together.
const RECORDED_MAX_OF_ACCOUNT: u64 = 20;
/// How many attempts at unknown logins are recorded in a window.
const RECORDED_MAX_UNKNOWN: u64 = 500;
/// How many attempts at known accounts are recorded in a window.
const RECORDED_MAX_KNOWN: u64 = 5_000;
/// The most accounts, and the most addresses, that are remembered. Above it, the least recently used ones are
/// forgotten, and their unrecorded attempts are added to a common count.
// The compiler evaluates this, so it cannot panic in a running server.
const REMEMBERED_MAX: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");
/// The most summaries of accounts that are written in one step.
const SUMMARIES_MAX: usize = 100;
/// How many bytes of a login's digest are kept. They distinguish logins, and do not identify one.
const DIGEST_BYTES: usize = 8;

/// Records refused sign-ins. Clones share everything.
#[derive(Clone)]
pub struct RefusedSignIns {
    commands: Commands,
    key: MasterKey,
    counts: Arc<Mutex<Counts>>,
}

/// A refused sign-in, in the form that is recorded.
#[derive(Clone)]
struct Refused {
    from: Device,
    user_id: Option<UserId>,
    login_digest: Option<String>,
    cause: RefusalCause,
}

/// The counts of recorded and unrecorded attempts in the present window.
struct Counts {
    began: Instant,
    known: u64,
    unknown: u64,
    accounts: Counted<UserId>,
    addresses: Counted<Option<IpAddr>>,
}

/// The counts of each account, or of each address.
struct Counted<K: Hash + Eq> {
    each: LruCache<K, Count>,
    /// Unrecorded attempts of forgotten accounts or addresses.
    not_recorded: u64,
}

#[derive(Default)]
struct Count {
    recorded: u64,
    not_recorded: u64,
    last: Option<Refused>,
}

impl RefusedSignIns {
    /// Records with these commands.
    #[must_use]
    pub fn new(commands: Commands, key: MasterKey) -> Self {
        Self { commands, key, counts: Arc::new(Mutex::new(Counts::new(Instant::now()))) }
    }

    /// Records that a sign-in was refused. The caller gets its refusal even if the log cannot be written.
    pub async fn count_and_record(&self, from: &Device, login: &str, user_id: Option<UserId>, is_inactive: bool) {
        let refused = self.refused(from, login, user_id, is_inactive);
        let admitted = self.counts().admit(&refused, Instant::now());
        if let Some(not_recorded) = admitted {
            self.record(refused, not_recorded).await;
        }
    }

    /// Counts an attempt that was refused without a look at the password, because there were too many attempts at the
    /// account. A summary reports it.
    pub fn count(&self, from: &Device, login: &str, user_id: Option<UserId>) {
        let refused = self.refused(from, login, user_id, false);
        self.counts().add(&refused);
    }

    /// Records the attempts that were counted since the last summary.
    pub async fn summarise(&self) {
        let summaries = self.counts().take_summaries();
        for (refused, not_recorded) in summaries {
            self.record(refused, not_recorded).await;
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refused(&self, from: &Device, login: &str, user_id: Option<UserId>, is_inactive: bool) -> Refused {
        let cause = match user_id {
            None => RefusalCause::UnknownLogin,
            Some(_) if is_inactive => RefusalCause::NotActive,
            Some(_) => RefusalCause::WrongPassword,
        };
        let login_digest = user_id.is_none().then(|| digest(&self.key, login));
        Refused { from: from.clone(), user_id, login_digest, cause }
    }

    async fn record(&self, refused: Refused, not_recorded: u64) {
        let Refused { from, user_id, login_digest, cause } = refused;
        let attempt = Attempt { user_id, login_digest, cause, not_recorded };
        // The actor is unknown, because the sign-in failed.
        let context = from.context(UserId::SYSTEM);
        if let Err(error) = self.commands.refuse_session(context, SessionId(Uuid::now_v7()), attempt).await {
            tracing::warn!(%error, "a refused sign-in was not recorded");
        }
    }
}

/// The digest of an unknown login. It distinguishes logins, and does not reveal them.
fn digest(key: &MasterKey, login: &str) -> String {
    let digest = key.mac("backscroll login ", login.trim().to_lowercase().as_bytes());
    hex::encode(&digest[..DIGEST_BYTES])
}

impl Counts {
    fn new(began: Instant) -> Self {
        Self { began, known: 0, unknown: 0, accounts: Counted::new(), addresses: Counted::new() }
    }

    /// Decides whether one more attempt is recorded. If so, returns how many earlier attempts of the same account or
    /// address were not.
    fn admit(&mut self, refused: &Refused, now: Instant) -> Option<u64> {
        if now.duration_since(self.began) >= WINDOW {
            (self.began, self.known, self.unknown) = (now, 0, 0);
            self.accounts.begin();
            self.addresses.begin();
        }
        let (count, recorded, max, max_of_all) = match refused.user_id {
            Some(user_id) => (self.accounts.of(user_id), &mut self.known, RECORDED_MAX_OF_ACCOUNT, RECORDED_MAX_KNOWN),
            None => (self.addresses.of(refused.client_network()), &mut self.unknown, RECORDED_MAX_OF_ADDRESS, RECORDED_MAX_UNKNOWN),
        };
        if *recorded >= max_of_all || count.recorded >= max {
            count.add(refused);
            return None;
        }
        count.recorded += 1;
        *recorded += 1;
        count.last = None;
        Some(std::mem::take(&mut count.not_recorded))
    }

    fn add(&mut self, refused: &Refused) {
        match refused.user_id {
            Some(user_id) => self.accounts.of(user_id).add(refused),
            None => self.addresses.of(refused.client_network()).add(refused),
        }
    }

    /// Returns a summary for each account, and one for all unknown logins: the last attempt, and how many earlier ones
    /// were not recorded.
    fn take_summaries(&mut self) -> Vec<(Refused, u64)> {
        let mut summaries = self.accounts.take(SUMMARIES_MAX);
        let of_addresses = self.addresses.take(usize::MAX);
        let total = of_addresses.iter().map(|(_, before)| before + 1).sum::<u64>()
            + std::mem::take(&mut self.addresses.not_recorded)
            + std::mem::take(&mut self.accounts.not_recorded);
        if let Some((last, _)) = of_addresses.into_iter().next() {
            summaries.push((last, total.saturating_sub(1)));
        }
        summaries
    }
}

impl<K: Hash + Eq + Clone> Counted<K> {
    fn new() -> Self {
        Self { each: LruCache::new(REMEMBERED_MAX), not_recorded: 0 }
    }

    fn begin(&mut self) {
        self.each.iter_mut().for_each(|(_, count)| count.recorded = 0);
    }

    fn of(&mut self, key: K) -> &mut Count {
        if !self.each.contains(&key) && self.each.len() == REMEMBERED_MAX.get() {
            self.not_recorded += self.each.pop_lru().map_or(0, |(_, count)| count.not_recorded);
        }
        self.each.get_or_insert_mut(key, Count::default)
    }

    /// Returns the last unrecorded attempts, the most recently used first, and how many came before each.
    fn take(&mut self, max: usize) -> Vec<(Refused, u64)> {
        let counts = self.each.iter_mut().filter(|(_, count)| count.not_recorded > 0);
        counts.take(max).filter_map(|(_, count)| Some((count.last.take()?, std::mem::take(&mut count.not_recorded) - 1))).collect()
    }
}

impl Count {
    fn add(&mut self, refused: &Refused) {
        self.not_recorded += 1;
        self.last = Some(refused.clone());
    }
}

impl Refused {
    /// The client's network, which attempts are counted by. All attempts without an address are counted together.
    fn client_network(&self) -> Option<IpAddr> {
        self.from.address().map(client_network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(address: &str, user: Option<u128>) -> Refused {
        let from = Device { ip_address: Some(address.into()), ..Device::default() };
        let user_id = user.map(|number| UserId(Uuid::from_u128(number)));
        Refused { from, user_id, login_digest: None, cause: RefusalCause::UnknownLogin }
    }

    fn address(number: u64) -> String {
        format!("10.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255)
    }

    #[test]
    fn attempts_from_one_address_are_recorded_up_to_a_limit_and_then_counted() {
        let began = Instant::now();
        let mut counts = Counts::new(began);
        for _ in 0..RECORDED_MAX_OF_ADDRESS {
            assert_eq!(counts.admit(&refused("203.0.113.9", None), began), Some(0));
        }
        assert_eq!(counts.admit(&refused("203.0.113.9", None), began), None);
        assert_eq!(counts.admit(&refused("203.0.113.9", None), began), None);
        assert_eq!(counts.admit(&refused("198.51.100.7", None), began), Some(0), "another is not held up");
        assert_eq!(counts.admit(&refused("203.0.113.9", None), began + WINDOW), Some(2), "what was not recorded is told later");
    }

    #[test]
    fn an_ipv6_network_is_counted_as_one_client() {
        let began = Instant::now();
        let mut counts = Counts::new(began);
        let recorded = (0..100).filter(|n| counts.admit(&refused(&format!("2001:db8::{n:x}"), None), began).is_some()).count();
        assert_eq!(recorded as u64, RECORDED_MAX_OF_ADDRESS);
    }

    #[test]
    fn attempts_at_unknown_logins_do_not_use_up_the_records_of_an_account() {
        let began = Instant::now();
        let mut counts = Counts::new(began);
        let recorded = (0..2 * RECORDED_MAX_UNKNOWN).filter(|n| counts.admit(&refused(&address(*n), None), began).is_some()).count();
        assert_eq!(recorded as u64, RECORDED_MAX_UNKNOWN);
        assert_eq!(counts.admit(&refused(&address(0), Some(1)), began), Some(0));
    }

    #[test]
    fn attempts_at_one_account_do_not_use_up_the_records_of_another() {
        let began = Instant::now();
        let mut counts = Counts::new(began);
        let recorded = (0..300).filter(|n| counts.admit(&refused(&address(*n), Some(1)), began).is_some()).count();
        assert_eq!(recorded as u64, RECORDED_MAX_OF_ACCOUNT, "from all addresses together");
        assert_eq!(counts.admit(&refused(&address(0), Some(2)), began), Some(0));
    }

    #[test]
    fn a_summary_reports_unrecorded_attempts_once() {
        let began = Instant::now();
        let mut counts = Counts::new(began);
        for n in 0..100 {
            counts.admit(&refused(&address(n), Some(1)), began);
        }
        for _ in 0..30 {
            counts.admit(&refused("203.0.113.9", None), began);
            counts.admit(&refused("203.0.113.10", None), began);
        }
        counts.add(&refused("203.0.113.11", Some(1)));
        let summaries = counts.take_summaries();
        let told = summaries
            .iter()
            .map(|(last, before)| (last.user_id.is_some(), last.from.ip_address.as_deref(), before + 1))
            .collect::<Vec<_>>();
        assert_eq!(told, [(true, Some("203.0.113.11"), 81), (false, Some("203.0.113.10"), 20)]);
        assert!(counts.take_summaries().is_empty());
    }

    #[test]
    fn attempts_of_forgotten_accounts_are_still_reported() {
        let began = Instant::now();
        let mut counts = Counts::new(began);
        for n in 0..REMEMBERED_MAX.get() as u64 + RECORDED_MAX_UNKNOWN + 7 {
            counts.admit(&refused(&address(n), None), began);
        }
        let summaries = counts.take_summaries();
        assert_eq!(summaries.iter().map(|(_, before)| before + 1).sum::<u64>(), REMEMBERED_MAX.get() as u64 + 7);
    }

    #[test]
    fn an_unknown_login_has_the_same_digest_today_as_in_an_old_log() {
        let key = MasterKey::from(std::array::from_fn(|place| place as u8));
        assert_eq!(digest(&key, " Ann@Example.org "), "3a14fa71815e79c7");
    }
}
