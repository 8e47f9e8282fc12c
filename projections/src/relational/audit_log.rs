//! `audit_log`: an index of the log, with one row for each event. The events themselves are read from the log by
//! `ledger::audit`.

use chrono::{DateTime, Utc};
use domain::installation::ReplayScope;
use domain::{Event, InstallationEvent, MessageEvent, Recorded};
use sqlx::{PgConnection, query_file};
use uuid::Uuid;

use super::copy::{CopyRow, Tuple};
use super::stamp::to_micros;

/// A row of the table.
#[derive(Clone, Debug)]
pub(crate) struct AuditRecord {
    position: i64,
    event_id: Uuid,
    workspace_id: Option<Uuid>,
    recorded_at: DateTime<Utc>,
    happened_at: DateTime<Utc>,
    actor_id: Uuid,
    aggregate_type: &'static str,
    aggregate_id: Uuid,
    event_type: &'static str,
    command: String,
    correlation_id: Uuid,
    causation_id: Option<Uuid>,
    session_id: Option<Uuid>,
    address: Option<String>,
    channel_id: Option<Uuid>,
    person_id: Option<Uuid>,
    concerns_all: bool,
}

impl AuditRecord {
    /// The row of an event.
    pub(crate) fn of(event: &Recorded<Event>) -> Self {
        let metadata = &event.metadata;
        Self {
            position: event.position,
            event_id: event.event_id.0,
            workspace_id: event.workspace_id.map(|id| id.0),
            recorded_at: to_micros(event.recorded_at),
            happened_at: to_micros(event.happened_at()),
            actor_id: metadata.actor.0,
            aggregate_type: event.stream.aggregate.as_str(),
            aggregate_id: event.stream.id,
            event_type: event.event.wire_name(),
            command: metadata.command.clone(),
            correlation_id: metadata.correlation_id,
            causation_id: metadata.causation_id.map(|id| id.0),
            session_id: metadata.session.map(|id| id.0),
            address: metadata.address.clone(),
            channel_id: channel_of_new(&event.event),
            person_id: person_of_session(&event.event),
            concerns_all: concerns_all(&event.event),
        }
    }
}

/// The channel of the new message, if the event posts one.
fn channel_of_new(event: &Event) -> Option<Uuid> {
    match event {
        Event::Message(MessageEvent::Posted(posting)) => Some(posting.channel_id.0),
        Event::User(_)
        | Event::Workspace(_)
        | Event::Channel(_)
        | Event::Message(_)
        | Event::Retention(_)
        | Event::Session(_)
        | Event::Audit(_)
        | Event::Installation(_) => None,
    }
}

/// The user of a session, if the event is about a session whose user is known.
fn person_of_session(event: &Event) -> Option<Uuid> {
    match event {
        Event::Session(event) => event.user_id().map(|id| id.0),
        Event::User(_)
        | Event::Workspace(_)
        | Event::Channel(_)
        | Event::Message(_)
        | Event::Retention(_)
        | Event::Audit(_)
        | Event::Installation(_) => None,
    }
}

/// Whether the audit of every workspace shows the event: a rebuild of all read models began. Its outcome is not shown,
/// because it can name rows of other workspaces.
fn concerns_all(event: &Event) -> bool {
    match event {
        Event::Installation(InstallationEvent::ReplayStarted(start)) => {
            matches!(start.scope, ReplayScope::Whole | ReplayScope::Upgrade { .. })
        }
        Event::User(_)
        | Event::Workspace(_)
        | Event::Channel(_)
        | Event::Message(_)
        | Event::Retention(_)
        | Event::Session(_)
        | Event::Audit(_)
        | Event::Installation(_) => false,
    }
}

/// Writes rows that are not there yet.
pub(super) async fn save(connection: &mut PgConnection, records: &[AuditRecord]) -> sqlx::Result<()> {
    query_file!(
        "src/relational/sql/save_audit_log.sql",
        &records.iter().map(|r| r.position).collect::<Vec<_>>(),
        &records.iter().map(|r| r.event_id).collect::<Vec<_>>(),
        &records.iter().map(|r| r.workspace_id).collect::<Vec<_>>() as _,
        &records.iter().map(|r| r.recorded_at).collect::<Vec<_>>(),
        &records.iter().map(|r| r.happened_at).collect::<Vec<_>>(),
        &records.iter().map(|r| r.actor_id).collect::<Vec<_>>(),
        &records.iter().map(|r| r.aggregate_type).collect::<Vec<_>>() as _,
        &records.iter().map(|r| r.aggregate_id).collect::<Vec<_>>(),
        &records.iter().map(|r| r.event_type).collect::<Vec<_>>() as _,
        &records.iter().map(|r| r.command.as_str()).collect::<Vec<_>>() as _,
        &records.iter().map(|r| r.correlation_id).collect::<Vec<_>>(),
        &records.iter().map(|r| r.causation_id).collect::<Vec<_>>() as _,
        &records.iter().map(|r| r.session_id).collect::<Vec<_>>() as _,
        &records.iter().map(|r| r.address.as_deref()).collect::<Vec<_>>() as _,
        &records.iter().map(|r| r.channel_id).collect::<Vec<_>>() as _,
        &records.iter().map(|r| r.person_id).collect::<Vec<_>>() as _,
        &records.iter().map(|r| r.concerns_all).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await
    .map(drop)
}

impl CopyRow for AuditRecord {
    const COLUMNS: &'static [&'static str] = &[
        "position",
        "event_id",
        "workspace_id",
        "recorded_at",
        "happened_at",
        "actor_id",
        "aggregate_type",
        "aggregate_id",
        "event_type",
        "command",
        "correlation_id",
        "causation_id",
        "session_id",
        "address",
        "channel_id",
        "person_id",
        "concerns_all",
    ];

    fn write(&self, tuple: &mut Tuple<'_>) {
        tuple.int8(self.position);
        tuple.uuid(self.event_id);
        tuple.maybe(self.workspace_id, Tuple::uuid);
        tuple.time(self.recorded_at);
        tuple.time(self.happened_at);
        tuple.uuid(self.actor_id);
        tuple.text(self.aggregate_type);
        tuple.uuid(self.aggregate_id);
        tuple.text(self.event_type);
        tuple.text(&self.command);
        tuple.uuid(self.correlation_id);
        tuple.maybe(self.causation_id, Tuple::uuid);
        tuple.maybe(self.session_id, Tuple::uuid);
        tuple.maybe(self.address.as_deref(), Tuple::text);
        tuple.maybe(self.channel_id, Tuple::uuid);
        tuple.maybe(self.person_id, Tuple::uuid);
        tuple.bool(self.concerns_all);
    }
}
