//! A moment in the log's time, and things as they were then.

use chrono::{DateTime, Utc};
use domain::ids::WorkspaceId;
use domain::{AggregateType, Event, Recorded, StreamId};

use super::AuditLog;
use super::load::Stream;
use super::state::State;
use super::{AuditError, Filter, Order};

/// A moment: behind an event of the log, or a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Moment {
    /// When the event at that position had been recorded, and none behind it.
    Position(i64),
    /// That time, by when events happened: what was imported counts from when it was said, and not from when it was imported.
    Time(DateTime<Utc>),
    /// Now.
    Now,
}

impl Moment {
    /// Whether the event had happened by then.
    #[must_use]
    pub fn has_seen(&self, event: &Recorded<Event>) -> bool {
        match self {
            Self::Position(position) => event.position <= *position,
            Self::Time(at) => event.happened_at() <= *at,
            Self::Now => true,
        }
    }

    /// The last position, and the last time, that it has seen.
    pub(super) fn bounds(&self) -> (i64, DateTime<Utc>) {
        match self {
            Self::Position(position) => (*position, DateTime::<Utc>::MAX_UTC),
            Self::Time(at) => (i64::MAX, *at),
            Self::Now => (i64::MAX, DateTime::<Utc>::MAX_UTC),
        }
    }
}

/// What is left of a stream at a moment.
#[derive(Debug)]
pub(super) struct Then {
    pub state: State,
    /// How many events of the stream had happened.
    pub version: i64,
    /// The last of them.
    pub last: Option<Recorded<Event>>,
}

impl Then {
    /// The fold of the events that had happened by then, in the order of the log. A thing had begun when anything had happened to it: what is
    /// imported into one can be older than its first event.
    pub(super) fn of(stream: StreamId, events: &[Recorded<Event>], moment: Moment) -> Self {
        let mut then = Self { state: State::new(stream.aggregate), version: 0, last: None };
        let had_begun = events.iter().any(|event| moment.has_seen(event));
        for event in events.iter().filter(|event| moment.has_seen(event) || (had_begun && event.sequence == 1)) {
            then.state.apply(&event.event);
            then.version += 1;
            then.last = Some(event.clone());
        }
        then
    }
}

impl AuditLog {
    /// The whole stream of a thing, where the audit of that workspace, or of the whole server, shows anything of it. The
    /// installation is no workspace's.
    pub(super) async fn stream_in(&self, workspace_id: Option<WorkspaceId>, stream: StreamId) -> Result<Option<Stream>, AuditError> {
        if workspace_id.is_some() && stream.aggregate == AggregateType::Installation {
            return Ok(None);
        }
        let any = Filter {
            workspace_id,
            aggregate_type: Some(stream.aggregate),
            aggregate_id: Some(stream.id),
            order: Order::OldestFirst,
            limit: 1,
            ..Filter::default()
        };
        if self.positions(&any).await?.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.whole_streams(&[stream]).await?))
    }
}
