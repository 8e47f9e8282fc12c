//! Windows of this process alone, for the time in which Redis does not answer. The rule is the same, with the clock of
//! this process.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;

use super::windows::{Remaining, Verdict, Window, micros};

/// The most windows that are kept. Above it, the least recently used one is forgotten, and its client may send a few
/// more requests.
const WINDOWS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// The times of granted requests, in microseconds since the process started, the oldest first.
type Granted = VecDeque<u64>;

/// The windows of this process.
pub struct LocalWindows {
    born: Instant,
    windows: Mutex<LruCache<String, Granted>>,
}

impl Default for LocalWindows {
    fn default() -> Self {
        Self { born: Instant::now(), windows: Mutex::new(LruCache::new(WINDOWS_MAX)) }
    }
}

impl LocalWindows {
    /// Counts a request in all of the windows. If one of them is full, it counts in none.
    pub fn count(&self, windows: &[Window]) -> Verdict {
        self.check_at(micros(self.born.elapsed()), windows, true)
    }

    /// Returns the refusal that a request would get now, if the window is full. The request is not counted, and no
    /// window is created.
    pub fn refusal(&self, window: &Window) -> Option<Verdict> {
        if !self.windows.lock().unwrap_or_else(PoisonError::into_inner).contains(&window.key) {
            return None;
        }
        let verdict = self.check_at(micros(self.born.elapsed()), std::slice::from_ref(window), false);
        (!verdict.granted).then_some(verdict)
    }

    /// Takes back the last granted request of the window.
    pub fn give_back(&self, window: &Window) {
        if let Some(granted) = self.windows.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&window.key) {
            granted.pop_back();
        }
    }

    #[cfg(test)]
    fn count_at(&self, now: u64, windows: &[Window]) -> Verdict {
        self.check_at(now, windows, true)
    }

    fn check_at(&self, now: u64, windows: &[Window], counts: bool) -> Verdict {
        let mut all = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut has_room = |window: &Window| {
            let granted = all.get_or_insert_mut(window.key.clone(), Granted::new);
            let over = granted.partition_point(|at| at + micros(window.quota.window) <= now);
            drop(granted.drain(..over));
            granted.len() < window.quota.requests as usize
        };
        // All windows are checked, so that the answer has what remains in each.
        let granted = windows.iter().filter(|window| has_room(window)).count() == windows.len();
        let mut count = |window: &Window| {
            let moments = all.get_or_insert_mut(window.key.clone(), Granted::new);
            if granted && counts {
                moments.push_back(now);
            }
            let next = moments.front().map_or(0, |oldest| oldest + micros(window.quota.window) - now);
            let used = u32::try_from(moments.len()).unwrap_or(u32::MAX);
            let requests = window.quota.requests.saturating_sub(used);
            Remaining { class: window.class, quota: window.quota, requests, next: Duration::from_micros(next) }
        };
        let left = windows.iter().map(&mut count).collect();
        Verdict { granted, left }
    }
}

#[cfg(test)]
mod tests {
    use super::super::class::Class;
    use super::super::policy::Quota;
    use super::*;

    fn window(key: &str, requests: u32, millis: u64) -> Window {
        Window { class: Class::Write, key: key.into(), quota: Quota { requests, window: Duration::from_millis(millis) } }
    }

    #[test]
    fn a_burst_at_the_edge_of_a_window_is_refused() {
        let windows = LocalWindows::default();
        let grants = |at: u64| windows.count_at(at, &[window("ann", 2, 1)]).granted;
        assert!(grants(0) && grants(900));
        assert!(!grants(999), "both are less than a window old");
        assert!(grants(1000), "the first is a window old");
        assert!(!grants(1001), "a fixed window that began at 1000 would have room");
        assert!(grants(1900));
    }

    #[test]
    fn a_request_counts_in_all_windows_or_in_none() {
        let windows = LocalWindows::default();
        let count = |at| windows.count_at(at, &[window("wide", 9, 1000), window("narrow", 1, 1)]);
        assert!(count(0).granted);
        let refused = count(10);
        assert_eq!((refused.granted, refused.left[0].requests, refused.left[1].requests), (false, 8, 0));
        assert_eq!(refused.refusal().map(|left| left.next), Some(Duration::from_micros(990)));
        assert_eq!(count(1000).left[0].requests, 7);
    }

    #[test]
    fn the_number_of_windows_is_limited() {
        let windows = LocalWindows::default();
        for n in 0..WINDOWS_MAX.get() + 100 {
            windows.count_at(0, &[window(&n.to_string(), 1, 1000)]);
        }
        assert_eq!(windows.windows.lock().expect("the windows").len(), WINDOWS_MAX.get());
        for _ in 0..100 {
            windows.count_at(1, &[window("ann", 5, 1000)]);
        }
        let kept = windows.windows.lock().expect("the windows").get("ann").map(VecDeque::len);
        assert_eq!(kept, Some(5), "never more than the limit");
    }
}
