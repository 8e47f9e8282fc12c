//! The rows of all read tables that some events change: loads them, applies the events, and writes them back.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use domain::{Event, MessageEvent, Recorded, RetentionEvent, SessionEvent, UserEvent};
use sqlx::types::Json;
use sqlx::{Executor, PgConnection};
use uuid::Uuid;

use super::audit_log::{self, AuditRecord};
use super::channel_members::{self, ChannelMemberRecord};
use super::channels::{self, ChannelRecord};
use super::erase::Erased;
use super::invitations::{self, InvitationRow};
use super::members::{self, MemberRecord};
use super::messages::{self, Effects, MessageRecord, Month};
use super::rows::{Arrival, JsonRow, Missing, Row, Rows};
use super::stamp::EventStamp;
use super::users::{self, UserRow};
use super::workspaces::{self, WorkspaceRow};
use crate::engine::projector::ApplyError;

/// The most rows that one statement writes.
const SAVED_ROWS_MAX: usize = 2_000;

/// The rows that some events change.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) users: Rows<UserRow>,
    pub(crate) workspaces: Rows<WorkspaceRow>,
    pub(crate) members: Rows<MemberRecord>,
    pub(crate) invitations: Rows<InvitationRow>,
    pub(crate) channels: Rows<ChannelRecord>,
    pub(crate) channel_members: Rows<ChannelMemberRecord>,
    pub(crate) messages: Rows<MessageRecord>,
    pub(crate) audit_log: Vec<AuditRecord>,
    /// When users last signed in, according to the events.
    logins: HashMap<Uuid, DateTime<Utc>>,
    /// The people that were erased. Their data is removed after everything else is written.
    pub(crate) erased: Erased,
}

/// The keys of the rows that must be loaded before some events can be applied.
#[derive(Debug, Default)]
struct ChangedKeys {
    users: HashSet<Uuid>,
    workspaces: HashSet<Uuid>,
    members: HashSet<Uuid>,
    invitations: HashSet<Uuid>,
    channels: HashSet<Uuid>,
    channel_members: HashSet<Uuid>,
    messages: HashSet<Uuid>,
    /// Messages whose roots are known only after they are loaded.
    deleted: HashSet<Uuid>,
}

impl Model {
    /// Loads the rows that the events change.
    pub(crate) async fn load(connection: &mut PgConnection, events: &[&Recorded<Event>]) -> sqlx::Result<Self> {
        let mut affected = ChangedKeys::default();
        for event in events {
            affected.note(event);
        }
        let mut model = Self::default();
        model.load_changed(connection, affected).await?;
        Ok(model)
    }

    /// Loads messages, and the messages that began their threads.
    pub(crate) async fn load_messages(connection: &mut PgConnection, ids: Vec<Uuid>) -> sqlx::Result<Self> {
        let mut model = Self::default();
        let ids = ids.into_iter().collect::<HashSet<_>>();
        model.load_changed(connection, ChangedKeys { messages: ids.clone(), deleted: ids, ..ChangedKeys::default() }).await?;
        Ok(model)
    }

    /// Writes all rows except messages, channel memberships and the audit into empty tables.
    pub(crate) async fn fill(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        fill(connection, &self.users).await?;
        fill(connection, &self.workspaces).await?;
        fill(connection, &self.members).await?;
        fill(connection, &self.invitations).await?;
        fill(connection, &self.channels).await
    }

    async fn load_changed(&mut self, connection: &mut PgConnection, keys: ChangedKeys) -> sqlx::Result<()> {
        if let Some(ids) = ids(keys.users) {
            self.users.load(users::load(connection, &ids).await?);
        }
        if let Some(ids) = ids(keys.workspaces) {
            self.workspaces.load(workspaces::load(connection, &ids).await?);
        }
        if let Some(ids) = ids(keys.members) {
            self.members.load(members::load(connection, &ids).await?);
        }
        if let Some(ids) = ids(keys.invitations) {
            self.invitations.load(invitations::load(connection, &ids).await?);
        }
        if let Some(ids) = ids(keys.channels) {
            self.channels.load(channels::load(connection, &ids).await?);
        }
        if let Some(ids) = ids(keys.channel_members) {
            self.channel_members.load(channel_members::load(connection, &ids).await?);
        }
        if let Some(ids) = ids(keys.messages) {
            self.messages.load(messages::load(connection, &ids).await?);
        }
        let roots = keys.deleted.iter().filter_map(|id| Some(self.messages.get(*id)?.root()?.0));
        if let Some(ids) = ids(roots.collect()) {
            self.messages.load(messages::load(connection, &ids).await?);
        }
        Ok(())
    }

    /// Applies an event to the rows that it changes.
    pub(crate) fn apply(&mut self, event: &Recorded<Event>) -> Result<(), ApplyError> {
        self.apply_without_messages(event)?;
        if let Event::Message(happened) = &event.event {
            let missing =
                messages::apply(&mut self.messages, event.stream.id, EventStamp::of(event), happened, Effects::ALL, Arrival::InOrder)?;
            if missing != Effects::NONE {
                return Err(missing_row::<MessageRecord>(event));
            }
        }
        if let Event::Retention(RetentionEvent::Applied(applied)) = &event.event {
            let named = applied.messages.iter().map(|id| id.0).collect::<Vec<_>>();
            if !messages::leave(&mut self.messages, EventStamp::of(event), applied, event.metadata.actor, &named).is_empty() {
                return Err(missing_row::<MessageRecord>(event));
            }
        }
        Ok(())
    }

    /// Applies an event to the rows that it changes, except messages. The audit row is always added.
    pub(crate) fn apply_without_messages(&mut self, event: &Recorded<Event>) -> Result<(), ApplyError> {
        let (id, stamp) = (event.stream.id, EventStamp::of(event));
        match &event.event {
            Event::User(happened) => {
                users::apply(&mut self.users, id, stamp, happened).or_missing::<UserRow>(event)?;
                if let UserEvent::Erased { invitations } = happened {
                    self.erased.users.push(id);
                    self.erased.invitations.extend(invitations.iter().map(|invitation| invitation.0));
                }
            }
            Event::Workspace(happened) => {
                workspaces::apply(&mut self.workspaces, id, stamp, happened).or_missing::<WorkspaceRow>(event)?;
                // Invitations come before members: adding the member always works, so the event has all its effects or
                // none.
                invitations::apply(&mut self.invitations, id, stamp, happened).or_missing::<InvitationRow>(event)?;
                members::apply(&mut self.members, id, stamp, happened).or_missing::<MemberRecord>(event)?;
            }
            Event::Channel(happened) => {
                let workspace_id = event.workspace_id.ok_or(ApplyError::NoWorkspace { position: event.position })?.0;
                channels::apply(&mut self.channels, id, stamp, happened).or_missing::<ChannelRecord>(event)?;
                channel_members::apply(&mut self.channel_members, (workspace_id, id), stamp, happened)
                    .or_missing::<ChannelMemberRecord>(event)?;
            }
            Event::Session(SessionEvent::Started(start)) => self.sign_in(start.user_id.0, stamp).or_missing::<UserRow>(event)?,
            Event::Message(_)
            | Event::Retention(_)
            | Event::Session(SessionEvent::Refused(_) | SessionEvent::Ended { .. })
            | Event::Audit(_)
            | Event::Installation(_) => {}
        }
        self.audit_log.push(AuditRecord::of(event));
        Ok(())
    }

    /// Notes a sign-in. It does not change the row's position: an earlier change may still be parked and must be
    /// applied later.
    fn sign_in(&mut self, user_id: Uuid, stamp: EventStamp) -> Result<(), Missing> {
        let last = self.logins.entry(user_id).or_insert(stamp.at);
        *last = stamp.at.max(*last);
        let last = *last;
        self.users.note(user_id, |user| user.last_login_at = user.last_login_at.max(Some(last)))
    }

    /// Writes the changed rows.
    pub(crate) async fn save(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        self.save_without_messages(connection).await?;
        let changed = self.messages.changed();
        if !changed.is_empty() {
            let months = changed.iter().map(|message| (message.message_table(), Month::of(message.created_at()))).collect::<BTreeSet<_>>();
            messages::ensure_months(connection, &months).await?;
            messages::save(connection, &changed).await?;
        }
        if !self.audit_log.is_empty() {
            audit_log::save(connection, &self.audit_log).await?;
        }
        self.erased.remove(connection).await
    }

    /// Writes all changed rows except messages and the audit, in chunks: in a rebuild, all rows are here.
    async fn save_without_messages(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        save(connection, &self.users).await?;
        if !self.logins.is_empty() {
            users::save_logins(connection, &self.logins).await?;
        }
        save(connection, &self.workspaces).await?;
        save(connection, &self.members).await?;
        save(connection, &self.invitations).await?;
        save(connection, &self.channels).await?;
        if self.channels.any_changed() {
            // The constraints are checked now and not at the commit: an event that cannot be applied must be found
            // while it can still be parked.
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE").await?;
            connection.execute("SET CONSTRAINTS ALL DEFERRED").await?;
        }
        save(connection, &self.channel_members).await
    }
}

/// Writes the changed rows of a table.
async fn save<R: JsonRow>(connection: &mut PgConnection, rows: &Rows<R>) -> sqlx::Result<()> {
    for rows in rows.changed().chunks(SAVED_ROWS_MAX) {
        R::save(connection, rows).await?;
    }
    Ok(())
}

/// Not checked at compile time: one statement serves every table, and there is no index yet that could find a conflict.
async fn fill<R: JsonRow>(connection: &mut PgConnection, rows: &Rows<R>) -> sqlx::Result<()> {
    let (table, columns) = (R::TABLE, R::COLUMNS.join(", "));
    let statement = format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, $1)");
    for rows in rows.changed().chunks(SAVED_ROWS_MAX) {
        sqlx::query(&statement).bind(Json(rows)).execute(&mut *connection).await?;
    }
    Ok(())
}

impl ChangedKeys {
    fn note(&mut self, event: &Recorded<Event>) {
        let id = event.stream.id;
        match &event.event {
            Event::User(_) => self.users.extend((event.sequence > 1).then_some(id)),
            Event::Workspace(happened) => {
                self.workspaces.extend((event.sequence > 1).then_some(id));
                self.members.extend(members::affected(id, happened));
                self.invitations.extend(invitations::affected(happened));
            }
            Event::Channel(happened) => {
                self.channels.extend((event.sequence > 1).then_some(id));
                self.channel_members.extend(channel_members::affected(id, happened));
            }
            Event::Message(happened) => {
                self.messages.extend(messages::affected(id, happened));
                let may_count_less = matches!(happened, MessageEvent::Deleted { .. } | MessageEvent::Purged { .. });
                self.deleted.extend(may_count_less.then_some(id));
            }
            Event::Retention(RetentionEvent::Applied(applied)) => self.messages.extend(applied.messages.iter().map(|id| id.0)),
            Event::Session(SessionEvent::Started(start)) => drop(self.users.insert(start.user_id.0)),
            Event::Session(SessionEvent::Refused(_) | SessionEvent::Ended { .. }) | Event::Audit(_) | Event::Installation(_) => {}
        }
    }
}

fn ids(set: HashSet<Uuid>) -> Option<Vec<Uuid>> {
    some(set.into_iter().collect())
}

fn some<T>(rows: Vec<T>) -> Option<Vec<T>> {
    if rows.is_empty() { None } else { Some(rows) }
}

trait OrMissing {
    fn or_missing<R: Row>(self, event: &Recorded<Event>) -> Result<(), ApplyError>;
}

impl OrMissing for Result<(), Missing> {
    fn or_missing<R: Row>(self, event: &Recorded<Event>) -> Result<(), ApplyError> {
        self.map_err(|Missing| missing_row::<R>(event))
    }
}

fn missing_row<R: Row>(event: &Recorded<Event>) -> ApplyError {
    ApplyError::MissingRow { table: R::TABLE, event_type: event.event.wire_name(), stream: event.stream }
}
