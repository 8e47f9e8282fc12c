//! The last events of the log, decoded. Most clients that come back have missed only some of these, and many come back at
//! once: then the log is read once for all of them.
//!
//! Frames are made from the present states (`material`), so an event that was read before its text was purged or its author
//! was erased shows neither.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::ids::WorkspaceId;
use domain::{AggregateType, Event, MessageEvent, Recorded};

/// About the most bytes that are kept.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// The bytes of an event without its text, about.
const EVENT_BYTES: usize = 1024;

/// The last events of the log. Clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    kept: Arc<Mutex<Kept>>,
    events_max: i64,
}

#[derive(Debug, Default)]
struct Kept {
    /// The position of the last event.
    last: i64,
    /// The last events, without a gap. An event that cannot be read is absent.
    events: VecDeque<Option<Arc<Recorded<Event>>>>,
    bytes: usize,
}

impl Kept {
    /// Every event behind this position, up to the last one, is kept.
    fn after(&self) -> i64 {
        self.last - self.count()
    }

    fn count(&self) -> i64 {
        i64::try_from(self.events.len()).unwrap_or(i64::MAX)
    }
}

/// Events of the tail, and up to which position they are complete.
pub(crate) struct Found {
    pub(crate) events: Vec<Arc<Recorded<Event>>>,
    pub(crate) to: i64,
}

impl Tail {
    /// A tail of at most this many events.
    pub(crate) fn of(events_max: u32) -> Self {
        Self { kept: Arc::default(), events_max: events_max.into() }
    }

    /// The most events that are kept.
    pub(crate) fn events_max(&self) -> i64 {
        self.events_max
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The position of the last event that is kept.
    pub(crate) fn last(&self) -> i64 {
        self.kept().last
    }

    /// Adds the event at `position`. If it does not follow the last one, the others are dropped.
    pub(crate) fn push(&self, position: i64, event: Option<Arc<Recorded<Event>>>) {
        let mut kept = self.kept();
        if position != kept.last + 1 {
            (kept.events, kept.bytes) = (VecDeque::new(), 0);
        }
        kept.last = position;
        kept.bytes += bytes_of(event.as_deref());
        kept.events.push_back(event);
        while kept.count() > self.events_max || kept.bytes > BYTES_MAX {
            let Some(first) = kept.events.pop_front() else { break };
            kept.bytes -= bytes_of(first.as_deref());
        }
    }

    /// Returns the next `limit` events of these workspaces, and of people, behind `after` and up to `end`. `None` if not all
    /// of them are kept.
    pub(crate) fn read(&self, workspaces: &[WorkspaceId], after: i64, end: i64, limit: usize) -> Option<Found> {
        let kept = self.kept();
        if after < kept.after() || end > kept.last {
            return None;
        }
        let skipped = usize::try_from(after - kept.after()).ok()?;
        let is_asked_for = |event: &&Arc<Recorded<Event>>| {
            event.stream.aggregate == AggregateType::User || event.workspace_id.is_some_and(|id| workspaces.contains(&id))
        };
        let behind = kept.events.iter().skip(skipped).flatten().take_while(|event| event.position <= end);
        let events = behind.filter(is_asked_for).take(limit).cloned().collect::<Vec<_>>();
        let to = events.last().filter(|_| events.len() >= limit).map_or(end, |last| last.position);
        Some(Found { events, to })
    }
}

fn bytes_of(event: Option<&Recorded<Event>>) -> usize {
    let text = match event.map(|recorded| &recorded.event) {
        Some(Event::Message(MessageEvent::Posted(posting))) => posting.content.as_str().len(),
        Some(Event::Message(MessageEvent::Edited { content, .. })) => content.as_str().len(),
        _ => 0,
    };
    EVENT_BYTES + 2 * text
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain::ids::UserId;
    use domain::{Context, StreamId, UserEvent};
    use uuid::Uuid;

    use super::*;

    fn event(position: i64, workspace: Option<u128>) -> Option<Arc<Recorded<Event>>> {
        Some(Arc::new(Recorded {
            position,
            event_id: domain::ids::EventId(Uuid::nil()),
            stream: if workspace.is_some() { StreamId::workspace(Uuid::nil()) } else { StreamId::user(Uuid::nil()) },
            sequence: position,
            workspace_id: workspace.map(|id| WorkspaceId(Uuid::from_u128(id))),
            recorded_at: DateTime::UNIX_EPOCH,
            metadata: Context::of(UserId(Uuid::nil()), DateTime::UNIX_EPOCH, Uuid::nil()).metadata("test"),
            event: Event::User(UserEvent::Reactivated {}),
        }))
    }

    fn read(tail: &Tail, after: i64, end: i64, limit: usize) -> Option<(Vec<i64>, i64)> {
        let found = tail.read(&[WorkspaceId(Uuid::from_u128(1))], after, end, limit)?;
        Some((found.events.iter().map(|event| event.position).collect(), found.to))
    }

    #[test]
    fn events_of_the_workspaces_and_of_people_are_found_up_to_the_end() {
        let tail = Tail::of(2_000);
        for (position, workspace) in [(5, Some(1)), (6, Some(2)), (7, None), (8, Some(1)), (9, Some(1))] {
            tail.push(position, event(position, workspace));
        }
        assert_eq!(read(&tail, 4, 9, 10), Some((vec![5, 7, 8, 9], 9)));
        assert_eq!(read(&tail, 5, 8, 10), Some((vec![7, 8], 8)));
        assert_eq!(read(&tail, 4, 9, 2), Some((vec![5, 7], 7)));
        assert_eq!(read(&tail, 9, 9, 2), Some((vec![], 9)));
    }

    #[test]
    fn what_is_not_kept_is_not_answered() {
        let tail = Tail::of(2_000);
        assert_eq!(read(&tail, 3, 9, 10), None);
        tail.push(5, event(5, Some(1)));
        assert_eq!(read(&tail, 3, 5, 10), None);
        assert_eq!(read(&tail, 4, 6, 10), None);
        // An event is missing before this one.
        tail.push(8, event(8, Some(1)));
        assert_eq!(read(&tail, 4, 8, 10), None);
        assert_eq!(read(&tail, 7, 8, 10), Some((vec![8], 8)));
    }

    #[test]
    fn a_tail_of_no_events_answers_nothing_but_that_nothing_is_behind_its_end() {
        let tail = Tail::of(0);
        tail.push(5, event(5, Some(1)));
        assert_eq!(read(&tail, 4, 5, 10), None);
        assert_eq!(read(&tail, 5, 5, 10), Some((vec![], 5)));
    }

    #[test]
    fn only_the_last_events_are_kept() {
        let tail = Tail::of(2_000);
        (1..=5_000).for_each(|position| tail.push(position, event(position, Some(1))));
        assert_eq!(read(&tail, 2_999, 5_000, 10), None);
        assert_eq!(read(&tail, 3_000, 5_000, 1), Some((vec![3_001], 3_001)));
    }
}
