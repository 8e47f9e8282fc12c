//! Updates the cached data from the log. Only workspaces that have cached data are updated: any other workspace costs
//! one query.
//!
//! It follows the read tables: it reads the changed rows from there, so that only one place knows what an event does.
//! Redis is written first, then the checkpoint moves. Each write carries the position at which its rows were read, so
//! an older read changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::ids::{ChannelId, UserId, WorkspaceId};
use domain::{ChannelEvent, Event, Recorded, UserEvent};
use futures::FutureExt;
use futures::future::{BoxFuture, try_join_all};
use sqlx::{PgConnection, query, query_file_as, query_scalar};
use stores::redis::{Redis, RedisDown};
use uuid::Uuid;

use super::page::{ROWS, ROWS_MAX, entry, row_place};
use super::scripts::{SCRIPTS, WorkspaceCache};
use super::unread::{LOG_MESSAGES, LOG_MESSAGES_MAX, is_written_by_a_person, mentions_of};
use super::{NAME, forget};
use crate::RELATIONAL;
use crate::connections::Connections;
use crate::engine::projector::{ApplyError, Projector};
use crate::relational::messages::{MessageRow, Windows, add_threads, root_of_new};

/// How long the projector waits for the read tables before it tries the batch again.
const FOLLOW_MAX: Duration = Duration::from_secs(2);

/// The cache's projector.
#[derive(Debug)]
pub(crate) struct Cache {
    stores: Connections,
}

impl Cache {
    /// A projector that writes through these connections.
    pub(crate) fn new(stores: &Connections) -> Self {
        Self { stores: stores.clone() }
    }
}

impl Projector for Cache {
    fn name(&self) -> &'static str {
        NAME
    }

    fn apply<'a>(&'a mut self, tx: &'a mut PgConnection, events: &'a [&'a Recorded<Event>]) -> BoxFuture<'a, Result<(), ApplyError>> {
        apply(&self.stores, tx, events).boxed()
    }
}

async fn apply(stores: &Connections, tx: &mut PgConnection, events: &[&Recorded<Event>]) -> Result<(), ApplyError> {
    let Some(last) = events.last().map(|event| event.position) else { return Ok(()) };
    // Waits before it reads anything: rows that are filled in from now on contain these events.
    let read_at = stores.progress.wait_for(RELATIONAL, last, FOLLOW_MAX).await;
    let read_at = read_at.map_err(|source| ApplyError::OtherStore { store: "the relational projection", source: Box::new(source) })?;
    // If this commit is lost, Redis still has its writes, and the same events are applied again.
    query!("SET LOCAL synchronous_commit = off").execute(&mut *tx).await?;
    let generation = query_scalar!("SELECT generation FROM projection_checkpoints WHERE projection = $1", NAME).fetch_one(&mut *tx).await?;
    let mut changes = Changes::default();
    for event in events {
        changes.note(event);
    }
    changes.workspaces_of_renamed(tx).await?;
    if !changes.erased.is_empty() {
        forget::of_erased(stores, tx, &changes.erased).await?;
    }
    let batch = Batch { redis: &stores.redis, generation, last, read_at };
    for (workspace_id, changes) in batch.cached(changes.workspaces).await? {
        batch.apply(tx, workspace_id, changes).await?;
    }
    Ok(())
}

/// What some events change.
#[derive(Default)]
struct Changes {
    workspaces: BTreeMap<WorkspaceId, WorkspaceChanges>,
    renamed: BTreeSet<Uuid>,
    /// People whose data must be removed from Redis completely, also from keys that nobody reads.
    erased: BTreeSet<Uuid>,
}

/// What some events change in one workspace.
#[derive(Default)]
struct WorkspaceChanges {
    /// Whether everything that is cached of the workspace is out of date.
    everything: bool,
    messages: BTreeSet<Uuid>,
    /// Channel members that joined, left, or changed their role or their notification level.
    memberships: BTreeSet<(ChannelId, UserId)>,
}

impl Changes {
    fn note(&mut self, event: &Recorded<Event>) {
        let id = event.stream.id;
        match &event.event {
            // The messages of a user contain the user's name.
            Event::User(UserEvent::ProfileChanged(_)) => drop(self.renamed.insert(id)),
            // The messages of an erased user contain the user's name and texts.
            Event::User(UserEvent::Erased { .. }) => {
                self.renamed.insert(id);
                self.erased.insert(id);
            }
            Event::User(
                UserEvent::Registered(_)
                | UserEvent::PreferencesChanged(_)
                | UserEvent::StatusChanged { .. }
                | UserEvent::Suspended { .. }
                | UserEvent::Reactivated {}
                | UserEvent::MadeOperator {}
                | UserEvent::OperatorRemoved {}
                | UserEvent::PasswordReset {}
                | UserEvent::ErasureProposed { .. }
                | UserEvent::ErasureRequested { .. }
                | UserEvent::ErasureCancelled { .. },
            )
            | Event::Workspace(_)
            | Event::Session(_)
            | Event::Audit(_)
            | Event::Installation(_) => {}
            // Pages and counts are filled in again from the messages that remain.
            Event::Retention(_) => {
                if let Some(workspace_id) = event.workspace_id {
                    self.workspaces.entry(workspace_id).or_default().everything = true;
                }
            }
            Event::Channel(happened) => {
                if let Some(workspace_id) = event.workspace_id {
                    self.workspaces.entry(workspace_id).or_default().note_channel(ChannelId(id), happened);
                }
            }
            Event::Message(happened) => {
                if let Some(workspace_id) = event.workspace_id {
                    let messages = &mut self.workspaces.entry(workspace_id).or_default().messages;
                    messages.insert(id);
                    messages.extend(root_of_new(happened));
                }
            }
        }
    }

    /// Adds all workspaces that the renamed people have been in.
    async fn workspaces_of_renamed(&mut self, tx: &mut PgConnection) -> sqlx::Result<()> {
        if self.renamed.is_empty() {
            return Ok(());
        }
        let users = self.renamed.iter().copied().collect::<Vec<_>>();
        let workspaces = query_scalar!("SELECT DISTINCT workspace_id FROM workspace_members WHERE user_id = ANY ($1)", &users);
        for workspace_id in workspaces.fetch_all(tx).await? {
            self.workspaces.entry(WorkspaceId(workspace_id)).or_default().everything = true;
        }
        Ok(())
    }
}

impl WorkspaceChanges {
    fn note_channel(&mut self, channel_id: ChannelId, event: &ChannelEvent) {
        match event {
            ChannelEvent::MemberJoined { user_id, .. }
            | ChannelEvent::MemberLeft { user_id }
            | ChannelEvent::MemberRemoved { user_id, .. }
            | ChannelEvent::MemberRoleChanged { user_id, .. }
            | ChannelEvent::NotificationLevelChanged { user_id, .. } => drop(self.memberships.insert((channel_id, *user_id))),
            // The unread counts of all its members contain this channel, or no longer do.
            ChannelEvent::Archived { .. } | ChannelEvent::Unarchived { .. } => self.everything = true,
            ChannelEvent::Created(_)
            | ChannelEvent::Renamed { .. }
            | ChannelEvent::TopicChanged { .. }
            | ChannelEvent::PurposeChanged { .. }
            | ChannelEvent::DescriptionChanged { .. }
            | ChannelEvent::SettingsChanged(_) => {}
        }
    }
}

/// A batch that is being written to Redis.
struct Batch<'a> {
    redis: &'a Redis,
    generation: i64,
    /// The position of the last event.
    last: i64,
    /// The position of the read tables before anything was read from them.
    read_at: i64,
}

impl Batch<'_> {
    /// Keeps only the workspaces that have cached data.
    async fn cached(&self, changes: BTreeMap<WorkspaceId, WorkspaceChanges>) -> Result<Vec<(WorkspaceId, WorkspaceChanges)>, ApplyError> {
        let asked = changes.into_iter().map(|(workspace_id, changes)| async move {
            let root = WorkspaceCache::workspace(self.redis, self.generation, workspace_id);
            let there: bool = self.redis.ask(redis::cmd("EXISTS").arg(root.root())).await?;
            Ok::<_, RedisDown>(there.then_some((workspace_id, changes)))
        });
        Ok(try_join_all(asked).await?.into_iter().flatten().collect())
    }

    async fn apply(&self, tx: &mut PgConnection, workspace_id: WorkspaceId, changes: WorkspaceChanges) -> Result<(), ApplyError> {
        let of = WorkspaceCache::workspace(self.redis, self.generation, workspace_id);
        if changes.everything {
            self.redis.ask::<i64>(redis::cmd("DEL").arg(of.root())).await?;
            return Ok(());
        }
        if !changes.memberships.is_empty() {
            self.forget(&of, &changes.memberships).await?;
        }
        let rows = messages_now(tx, changes.messages).await?;
        let mut channels = BTreeMap::<Uuid, Vec<MessageRow>>::new();
        for row in rows {
            channels.entry(row.channel_id).or_default().push(row);
        }
        let changes = channels.into_iter().map(|(channel_id, rows)| self.change(&of, channel_id, rows));
        try_join_all(changes).await?;
        Ok(())
    }

    /// Removes memberships. They are read again when a caller asks for them.
    async fn forget(&self, of: &WorkspaceCache<'_>, memberships: &BTreeSet<(ChannelId, UserId)>) -> Result<(), RedisDown> {
        let mut call = of.call(&SCRIPTS.forget);
        call.arg(self.last);
        for (channel_id, user_id) in memberships {
            call.arg("channel_members").arg(channel_id.0.simple().to_string());
            call.arg("unread_counts").arg(user_id.0.simple().to_string());
        }
        self.redis.run::<i64>(&SCRIPTS.forget, &call).await.map(drop)
    }

    /// Writes messages of a channel as they are now.
    async fn change(&self, of: &WorkspaceCache<'_>, channel_id: Uuid, rows: Vec<MessageRow>) -> Result<(), RedisDown> {
        let mut call = of.call(&SCRIPTS.apply_messages);
        call.arg(channel_id.simple().to_string())
            .arg(self.last)
            .arg(self.read_at)
            .arg(ROWS)
            .arg(ROWS_MAX)
            .arg(LOG_MESSAGES)
            .arg(LOG_MESSAGES_MAX);
        for row in &rows {
            let stands = !row.is_deleted;
            let on_page = row.thread_id.is_none() && (stands || row.reply_count > 0);
            let said = stands && is_written_by_a_person(&row.message_type);
            let mentions = if said { mentions_of(row.formatted_content.as_ref()) } else { String::new() };
            // An entry is `<place>|<row>`. The script joins the two again.
            let json = if on_page { entry(row).split_off(super::place::PLACE_CHARS + 1) } else { String::new() };
            call.arg(row_place(row)).arg(json).arg(row.user_id.simple().to_string());
            call.arg(u8::from(said && row.thread_id.is_none())).arg(mentions);
        }
        self.redis.run::<i64>(&SCRIPTS.apply_messages, &call).await.map(drop)
    }
}

/// Reads messages as they are now. For each deleted reply it also reads the message that began the thread.
async fn messages_now(tx: &mut PgConnection, ids: BTreeSet<Uuid>) -> sqlx::Result<Vec<MessageRow>> {
    let mut rows = rows_now(tx, ids.iter().copied()).await?;
    let roots = rows.iter().filter_map(|row| row.thread_id).filter(|root| !ids.contains(root)).collect::<BTreeSet<_>>();
    if !roots.is_empty() {
        rows.append(&mut rows_now(tx, roots.into_iter()).await?);
    }
    Ok(rows)
}

async fn rows_now(tx: &mut PgConnection, ids: impl Iterator<Item = Uuid>) -> sqlx::Result<Vec<MessageRow>> {
    let Windows { ids, earliest, latest } = ids.collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = query_file_as!(MessageRow, "src/cache/sql/messages_now.sql", &ids, &earliest, &latest);
    let mut rows = rows.fetch_all(&mut *tx).await?;
    add_threads(tx, &mut rows).await?;
    Ok(rows)
}

impl From<RedisDown> for ApplyError {
    fn from(error: RedisDown) -> Self {
        Self::OtherStore { store: "redis", source: Box::new(error) }
    }
}
