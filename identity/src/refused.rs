//! Sign-ins that were refused, for the audit: who tried to come in, and from where. Neither the password nor a login
//! that nobody has goes into the log; and not more of them than so many an hour, so that a stranger cannot fill it.
//!
//! Nor can a stranger use up what others are recorded with: attempts at known accounts and at unknown names have
//! budgets of their own, and each account has one. What is not recorded is counted, and a summary says so every minute:
//! the last of those attempts, and how many came before it.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use commands::Commands;
use domain::ids::{SessionId, UserId};
use domain::session::{Attempt, Cause};
use keyring::MasterKey;
use lru::LruCache;
use state::limits::household;
use uuid::Uuid;

use super::sessions::Device;

/// For how long refused sign-ins are counted together.
const WINDOW: Duration = Duration::from_secs(60 * 60);
/// So many at unknown names from one address are recorded in that time, by each process.
const RECORDED_MAX_OF_ADDRESS: u64 = 20;
/// So many at one account, from wherever they come.
const RECORDED_MAX_OF_ACCOUNT: u64 = 20;
/// So many at unknown names in all.
const RECORDED_MAX_UNKNOWN: u64 = 500;
/// So many at known accounts in all.
const RECORDED_MAX_KNOWN: u64 = 5_000;
/// The most addresses, and the most accounts, that are remembered; of more, those that were not heard of longest are
/// forgotten, and what was not recorded of them counts with the others.
// Judged by the compiler: it cannot panic in a running server.
const REMEMBERED_MAX: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");
/// The most summaries that are written at once.
const SUMMARIES_MAX: usize = 100;
/// Of a digest, so many bytes are kept: enough to tell logins apart, not to find one.
const DIGEST_BYTES: usize = 8;

/// Notes refused sign-ins. Clones share everything.
#[derive(Clone)]
pub struct RefusedSignIns {
    commands: Commands,
    key: MasterKey,
    counts: Arc<Mutex<Counts>>,
}

/// A refused sign-in, as far as it is recorded.
#[derive(Clone)]
struct Refused {
    from: Device,
    user_id: Option<UserId>,
    login_digest: Option<String>,
    cause: Cause,
}

/// What was recorded in this window, and what was not.
struct Counts {
    began: Instant,
    known: u64,
    unknown: u64,
    accounts: Counted<UserId>,
    addresses: Counted<Option<IpAddr>>,
}

/// What is counted of each account, or of each address.
struct Counted<K: Hash + Eq> {
    each: LruCache<K, Count>,
    /// Of those that were forgotten.
    not_recorded: u64,
}

#[derive(Default)]
struct Count {
    recorded: u64,
    not_recorded: u64,
    last: Option<Refused>,
}

impl RefusedSignIns {
    /// Notes them through those commands.
    #[must_use]
    pub fn new(commands: Commands, key: MasterKey) -> Self {
        Self { commands, key, counts: Arc::new(Mutex::new(Counts::new(Instant::now()))) }
    }

    /// Notes that somebody was not signed in. Whoever waits for the "no" gets it whether the log can be told or not.
    pub async fn note(&self, from: &Device, login: &str, user_id: Option<UserId>, is_locked_out: bool) {
        let refused = self.refused(from, login, user_id, is_locked_out);
        let admitted = self.counts().admit(&refused, Instant::now());
        if let Some(not_recorded) = admitted {
            self.record(refused, not_recorded).await;
        }
    }

    /// Counts an attempt whose password was not looked at, because there were too many at that account: a summary tells
    /// of it.
    pub fn count(&self, from: &Device, login: &str, user_id: Option<UserId>) {
        let refused = self.refused(from, login, user_id, false);
        self.counts().add(&refused);
    }

    /// Records what was counted since the last summary.
    pub async fn summarise(&self) {
        let summaries = self.counts().take_summaries();
        for (refused, not_recorded) in summaries {
            self.record(refused, not_recorded).await;
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refused(&self, from: &Device, login: &str, user_id: Option<UserId>, is_locked_out: bool) -> Refused {
        let cause = match user_id {
            None => Cause::UnknownLogin,
            Some(_) if is_locked_out => Cause::NotActive,
            Some(_) => Cause::WrongPassword,
        };
        let login_digest = user_id.is_none().then(|| digest(&self.key, login));
        Refused { from: from.clone(), user_id, login_digest, cause }
    }

    async fn record(&self, refused: Refused, not_recorded: u64) {
        let Refused { from, user_id, login_digest, cause } = refused;
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
        Self { began, known: 0, unknown: 0, accounts: Counted::new(), addresses: Counted::new() }
    }

    /// Whether one more is recorded; if so, how many before it at that account, or from that address, were not.
    fn admit(&mut self, refused: &Refused, now: Instant) -> Option<u64> {
        if now.duration_since(self.began) >= WINDOW {
            (self.began, self.known, self.unknown) = (now, 0, 0);
            self.accounts.begin();
            self.addresses.begin();
        }
        let (count, recorded, max, max_of_all) = match refused.user_id {
            Some(user_id) => (self.accounts.of(user_id), &mut self.known, RECORDED_MAX_OF_ACCOUNT, RECORDED_MAX_KNOWN),
            None => (self.addresses.of(refused.household()), &mut self.unknown, RECORDED_MAX_OF_ADDRESS, RECORDED_MAX_UNKNOWN),
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
            None => self.addresses.of(refused.household()).add(refused),
        }
    }

    /// A summary for each account, and one for all unknown names: the last attempt, and how many before it were not
    /// recorded.
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

    /// The last attempts that were not recorded, the latest heard of first, and how many came before each.
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
    /// The address, as far as it tells one client from another; all that have none are one.
    fn household(&self) -> Option<IpAddr> {
        self.from.address().map(household)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(address: &str, user: Option<u128>) -> Refused {
        let from = Device { ip_address: Some(address.into()), ..Device::default() };
        let user_id = user.map(|number| UserId(Uuid::from_u128(number)));
        Refused { from, user_id, login_digest: None, cause: Cause::UnknownLogin }
    }

    fn address(number: u64) -> String {
        format!("10.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255)
    }

    #[test]
    fn a_stranger_is_recorded_so_often_and_counted_from_then_on() {
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
    fn an_ipv6_network_is_one_stranger() {
        let began = Instant::now();
        let mut counts = Counts::new(began);
        let recorded = (0..100).filter(|n| counts.admit(&refused(&format!("2001:db8::{n:x}"), None), began).is_some()).count();
        assert_eq!(recorded as u64, RECORDED_MAX_OF_ADDRESS);
    }

    #[test]
    fn strangers_at_unknown_names_use_up_nothing_of_an_accounts_record() {
        let began = Instant::now();
        let mut counts = Counts::new(began);
        let recorded = (0..2 * RECORDED_MAX_UNKNOWN).filter(|n| counts.admit(&refused(&address(*n), None), began).is_some()).count();
        assert_eq!(recorded as u64, RECORDED_MAX_UNKNOWN);
        assert_eq!(counts.admit(&refused(&address(0), Some(1)), began), Some(0));
    }

    #[test]
    fn attempts_at_one_account_use_up_nothing_of_anothers_record() {
        let began = Instant::now();
        let mut counts = Counts::new(began);
        let recorded = (0..300).filter(|n| counts.admit(&refused(&address(*n), Some(1)), began).is_some()).count();
        assert_eq!(recorded as u64, RECORDED_MAX_OF_ACCOUNT, "from however many addresses");
        assert_eq!(counts.admit(&refused(&address(0), Some(2)), began), Some(0));
    }

    #[test]
    fn a_summary_tells_what_was_not_recorded_once() {
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
    fn what_is_forgotten_is_told_all_the_same() {
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
