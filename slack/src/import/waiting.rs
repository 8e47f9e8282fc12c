//! Replies that are filed before the messages that they answer. Some programs file a thread by the day of its last
//! reply, and others by the day of another time zone.

use std::collections::BTreeMap;

/// How many replies of a channel wait for their parents. If there are more, those of the earliest parent no longer wait.
const WAITING_MAX: usize = 10_000;

/// Replies by the moments of their parents.
pub(super) struct Waiting<T> {
    replies: BTreeMap<i64, Vec<T>>,
    count: usize,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { replies: BTreeMap::new(), count: 0 }
    }
}

impl<T> Waiting<T> {
    /// Adds a reply. Returns the replies that no longer wait.
    pub(super) fn push(&mut self, parent_micros: i64, reply: T) -> Vec<T> {
        self.replies.entry(parent_micros).or_default().push(reply);
        self.count += 1;
        if self.count <= WAITING_MAX {
            return Vec::new();
        }
        let (_, released) = self.replies.pop_first().unwrap_or_default();
        self.count -= released.len();
        released
    }

    /// Removes the replies to a message.
    pub(super) fn take(&mut self, parent_micros: i64) -> Vec<T> {
        let replies = self.replies.remove(&parent_micros).unwrap_or_default();
        self.count -= replies.len();
        replies
    }

    /// Removes all replies.
    pub(super) fn take_all(&mut self) -> Vec<T> {
        self.count = 0;
        std::mem::take(&mut self.replies).into_values().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_replies_wait() {
        let mut waiting = Waiting::default();
        for n in 0..WAITING_MAX {
            assert!(waiting.push(i64::try_from(n / 4).expect("a moment"), n).is_empty());
        }
        assert_eq!(waiting.take(1), [4, 5, 6, 7]);
        assert!((0..4).all(|n| waiting.push(9, n).is_empty()));
        assert_eq!(waiting.push(9, 4), [0, 1, 2, 3]);
        assert_eq!(waiting.take_all().len(), WAITING_MAX - 3);
        assert!(waiting.take_all().is_empty());
    }
}
