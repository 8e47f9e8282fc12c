//! The limits of each class and plan: the setting `rate_limits`.
//!
//! The setting is a list of items, separated by spaces, such as `free.write=600/60 enterprise.message=0 sign_in=20/60`.
//! An item has a class, for one plan or for all, and how many requests are allowed in how many seconds. 0 means no
//! limit. `all` means every class, and `off` means `all=0`. Classes that the list does not name keep their defaults.
//! The environment and the file use the same text.
//!
//! **The plan of a user.** A user has the best plan of the workspaces in which they are an active member, whatever the
//! request is about: a request may name no workspace, or belong to several. The plan is read from the read model, and
//! may be a minute old. A client that is not signed in has no plan, and its classes do not depend on one.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use domain::workspace::Plan;

use super::class::Class;

/// The defaults, for the classes that the setting does not name.
pub const DEFAULT: &str = "sign_in=60/60 sign_in_account=20/900 sign_out=60/60 wrong_token=120/60 \
    free.read=1200/60 free.write=300/60 free.search=60/60 free.signal=300/60 free.message=60/60 \
    pro.read=2400/60 pro.write=600/60 pro.search=120/60 pro.signal=600/60 pro.message=120/60 \
    enterprise.read=6000/60 enterprise.write=1500/60 enterprise.search=300/60 enterprise.signal=1500/60 enterprise.message=300/60";

/// The most requests that a window may allow. A full window stores the time of each of them.
const REQUESTS_MAX: u32 = 1_000_000;
/// The longest window, in seconds.
const SECONDS_MAX: u64 = 3600;

/// Returns the best of the plans. Unknown names count as the free plan.
pub fn best<'n>(names: impl Iterator<Item = &'n str>) -> Plan {
    names.filter_map(|name| Plan::ALL.into_iter().find(|plan| plan.as_str() == name)).max().unwrap_or_default()
}

/// A limit: so many requests in any window of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many requests.
    pub requests: u32,
    /// The length of the window.
    pub window: Duration,
}

impl FromStr for Quota {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (requests, seconds) = text.split_once('/').ok_or(())?;
        let requests = requests.parse::<u32>().ok().filter(|requests| (1..=REQUESTS_MAX).contains(requests)).ok_or(())?;
        let seconds = seconds.parse::<u64>().ok().filter(|seconds| (1..=SECONDS_MAX).contains(seconds)).ok_or(())?;
        Ok(Self { requests, window: Duration::from_secs(seconds) })
    }
}

/// The limits of each class in each plan.
#[derive(Clone, PartialEq, Eq)]
pub struct RateLimits([[Option<Quota>; Class::ALL.len()]; Plan::ALL.len()]);

impl RateLimits {
    /// No limits.
    #[must_use]
    pub fn off() -> Self {
        Self([[None; Class::ALL.len()]; Plan::ALL.len()])
    }

    /// The limit of the class in the plan. `None` means no limit.
    #[must_use]
    pub fn quota(&self, plan: Plan, class: Class) -> Option<Quota> {
        self.0[plan as usize][class as usize]
    }

    fn change(&mut self, list: &str) -> Result<(), ()> {
        list.split_whitespace().try_for_each(|item| self.change_item(item))
    }

    fn change_item(&mut self, item: &str) -> Result<(), ()> {
        if item == "off" {
            return self.change_item("all=0");
        }
        let (what, quota) = item.split_once('=').ok_or(())?;
        let quota = if quota == "0" { None } else { Some(quota.parse()?) };
        let (plan, class) = what.split_once('.').map_or((None, what), |(plan, class)| (Some(plan), class));
        let plans = Plan::ALL.into_iter().filter(|known| plan.is_none_or(|plan| plan == known.as_str()));
        let classes = || Class::ALL.into_iter().filter(|known| class == "all" || class == known.as_str());
        let mut named = plans.flat_map(|plan| classes().map(move |class| (plan, class))).peekable();
        // A client that is not signed in has no plan.
        let depends_on_plan = |(_, class): &(Plan, Class)| class.depends_on_plan();
        if !named.peek().is_some_and(|first| plan.is_none() || class == "all" || depends_on_plan(first)) {
            return Err(());
        }
        for (plan, class) in named {
            self.0[plan as usize][class as usize] = quota;
        }
        Ok(())
    }
}

impl FromStr for RateLimits {
    type Err = ();

    fn from_str(list: &str) -> Result<Self, ()> {
        let mut limits = Self::off();
        limits.change(DEFAULT)?;
        limits.change(list)?;
        Ok(limits)
    }
}

impl fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Plan::ALL.into_iter().flat_map(|plan| Class::ALL.into_iter().map(move |class| (plan, class)));
        let limited = named.filter_map(|(plan, class)| Some((format!("{}.{}", plan.as_str(), class.as_str()), self.quota(plan, class)?)));
        f.debug_map().entries(limited).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(list: &str, plan: Plan, class: Class) -> Option<(u32, u64)> {
        let limits = list.parse::<RateLimits>().unwrap_or_else(|()| panic!("{list}"));
        limits.quota(plan, class).map(|quota| (quota.requests, quota.window.as_secs()))
    }

    #[test]
    fn classes_that_are_not_named_keep_their_defaults() {
        assert_eq!(quota("", Plan::Free, Class::Write), Some((300, 60)));
        assert_eq!(quota("free.read=5/1", Plan::Free, Class::Write), Some((300, 60)));
        assert_eq!(quota("free.read=5/1", Plan::Free, Class::Read), Some((5, 1)));
        assert_eq!(quota("free.read=5/1", Plan::Pro, Class::Read), Some((2400, 60)));
    }

    #[test]
    fn a_class_without_a_plan_is_that_of_all_plans_and_the_last_word_counts() {
        for plan in Plan::ALL {
            assert_eq!(quota("read=5/1 read=6/1", plan, Class::Read), Some((6, 1)));
            assert_eq!(quota("off message=3/10", plan, Class::Write), None);
            assert_eq!(quota("off message=3/10", plan, Class::Message), Some((3, 10)));
        }
        assert_eq!(quota("free.write=0", Plan::Free, Class::Write), None);
    }

    #[test]
    fn every_class_has_a_quota_in_every_plan_and_a_better_plan_has_more() {
        for class in Class::ALL {
            let quotas = Plan::ALL.map(|plan| quota("", plan, class).expect("a quota"));
            assert!(quotas.is_sorted(), "{class:?}: {quotas:?}");
        }
    }

    #[test]
    fn an_invalid_list_is_refused() {
        for list in [
            "read",
            "read=5",
            "read=5/0",
            "read=-1/1",
            "reading=5/1",
            "gold.read=5/1",
            "pro.sign_in=5/1",
            "pro.wrong_token=5/1",
            "read=5/1, write=5/1",
            "all",
        ] {
            assert!(list.parse::<RateLimits>().is_err(), "{list}");
        }
    }

    #[test]
    fn the_best_plan_counts() {
        assert_eq!(best(["free", "enterprise", "pro"].into_iter()), Plan::Enterprise);
        assert_eq!(best(["gold"].into_iter()), Plan::Free);
    }
}
