//! A moment in the log's time, and aggregates as they were then.

use chrono::{DateTime, Utc};
use domain::ids::WorkspaceId;
use domain::{AggregateType, Event, Recorded, StreamId};

use super::AuditLog;
use super::load::Stream;
use super::state::State;
use super::{AuditError, Filter, Order};

/// A moment: after an event of the log, or a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Moment {
    /// Right after the event at this position was recorded.
    Position(i64),
    /// A time, compared with the times when events happened: an imported message counts from when it was sent, not from
    /// when it was imported.
    Time(DateTime<Utc>),
    /// Now.
    Now,
}

impl Moment {
    /// Whether the event had happened by then.
    #[must_use]
    pub fn includes(&self, event: &Recorded<Event>) -> bool {
        match self {
            Self::Position(position) => event.position <= *position,
            Self::Time(at) => event.happened_at() <= *at,
            Self::Now => true,
        }
    }

    /// The last position, and the latest time, that are included.
    pub(super) fn bounds(&self) -> (i64, DateTime<Utc>) {
        match self {
            Self::Position(position) => (*position, DateTime::<Utc>::MAX_UTC),
            Self::Time(at) => (i64::MAX, *at),
            Self::Now => (i64::MAX, DateTime::<Utc>::MAX_UTC),
        }
    }
}

/// A stream up to a moment.
#[derive(Debug)]
pub(super) struct StateAt {
    pub state: State,
    /// How many events of the stream had happened.
    pub version: i64,
    /// The last of these events.
    pub last: Option<Recorded<Event>>,
}

impl StateAt {
    /// Applies the events that had happened by then, in the order of the log. If any event had happened, the first
    /// event of the stream counts too: imported events can be older than the first event of their aggregate.
    pub(super) fn of(stream: StreamId, events: &[Recorded<Event>], moment: Moment) -> Self {
        let mut then = Self { state: State::new(stream.aggregate), version: 0, last: None };
        let had_begun = events.iter().any(|event| moment.includes(event));
        for event in events.iter().filter(|event| moment.includes(event) || (had_begun && event.sequence == 1)) {
            then.state.apply(&event.event);
            then.version += 1;
            then.last = Some(event.clone());
        }
        then
    }
}

impl AuditLog {
    /// Reads the whole stream of an aggregate. `None` if the audit of the workspace (or of the whole server) has no
    /// event of it. The installation belongs to no workspace.
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
