//! Keeps what is cached up with the log. Only what is cached is touched: a workspace that nobody looks at costs one question.
//!
//! It follows the read tables: what happened is read from there as it is now, so that there is one place that knows what an event does.
//! Redis is written first, then the checkpoint moves: what is written says at which position it was read, and older readings change nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::ids::{ChannelId, MessageId, UserId, WorkspaceId};
use domain::{ChannelEvent, Event, Recorded, UserEvent};
use futures::FutureExt;
use futures::future::{BoxFuture, try_join_all};
use sqlx::{PgConnection, query, query_file_as, query_scalar};
use stores::redis::{Redis, RedisDown};
use uuid::Uuid;

use super::page::{ROWS, ROWS_MAX, entry, row_place};
use super::scripts::{Of, SCRIPTS};
use super::unread::{DEEP, DEEP_MAX, is_said_by_somebody, mentions_of};
use super::{NAME, forget};
use crate::RELATIONAL;
use crate::connections::Stores;
use crate::engine::projector::{ApplyError, Projector};
use crate::relational::messages::{MessageRow, root_of_new};

/// How long it waits for the read tables, which it follows, before the batch is tried again.
const FOLLOW_MAX: Duration = Duration::from_secs(2);

/// Keeps the cache.
#[derive(Debug)]
pub(crate) struct Cache {
    stores: Stores,
}

impl Cache {
    /// In those stores.
    pub(crate) fn new(stores: &Stores) -> Self {
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

async fn apply(stores: &Stores, tx: &mut PgConnection, events: &[&Recorded<Event>]) -> Result<(), ApplyError> {
    let Some(last) = events.last().map(|event| event.position) else { return Ok(()) };
    // Before anything else is read: what is filled in from then on knows these events.
    let read_at = stores.progress.wait_for(RELATIONAL, last, FOLLOW_MAX).await;
    let read_at = read_at.map_err(|source| ApplyError::Elsewhere { store: "the relational projection", source: Box::new(source) })?;
    // What Redis holds is not lost with this commit: losing it means that the same events come again.
    query!("SET LOCAL synchronous_commit = off").execute(&mut *tx).await?;
    let generation = query_scalar!("SELECT generation FROM projection_checkpoints WHERE projection = $1", NAME).fetch_one(&mut *tx).await?;
    let mut touched = Touched::default();
    for event in events {
        touched.note(event);
    }
    touched.workspaces_of_renamed(tx).await?;
    if !touched.erased.is_empty() {
        forget::of_erased(stores, tx, &touched.erased).await?;
    }
    let batch = Batch { redis: &stores.redis, generation, last, read_at };
    for (workspace_id, touched) in batch.cached(touched.workspaces).await? {
        batch.apply(tx, workspace_id, touched).await?;
    }
    Ok(())
}

/// What some events have to do with.
#[derive(Default)]
struct Touched {
    workspaces: BTreeMap<WorkspaceId, InWorkspace>,
    renamed: BTreeSet<Uuid>,
    /// People of whom nothing is to be left in Redis, not even where nobody looks for it any more.
    erased: BTreeSet<Uuid>,
}

/// What has changed in a workspace.
#[derive(Default)]
struct InWorkspace {
    /// Something that is in everything.
    everything: bool,
    messages: BTreeSet<Uuid>,
    /// Where people came or went, became something else, or changed what they are told.
    memberships: BTreeSet<(ChannelId, UserId)>,
}

impl Touched {
    fn note(&mut self, event: &Recorded<Event>) {
        let id = event.stream.id;
        match &event.event {
            // Their names stand in their messages.
            Event::User(UserEvent::ProfileChanged(_)) => drop(self.renamed.insert(id)),
            // And so do their texts.
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
                | UserEvent::ErasureProposed { .. }
                | UserEvent::ErasureRequested { .. }
                | UserEvent::ErasureCancelled { .. },
            )
            | Event::Workspace(_)
            | Event::Session(_)
            | Event::Audit(_)
            | Event::Installation(_) => {}
            // Pages and counts are filled in anew, from what is left.
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

    /// Somebody's name is in all workspaces that they have been in.
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

impl InWorkspace {
    fn note_channel(&mut self, channel_id: ChannelId, event: &ChannelEvent) {
        match event {
            ChannelEvent::MemberJoined { user_id, .. }
            | ChannelEvent::MemberLeft { user_id }
            | ChannelEvent::MemberRemoved { user_id, .. }
            | ChannelEvent::MemberRoleChanged { user_id, .. }
            | ChannelEvent::NotificationLevelChanged { user_id, .. } => drop(self.memberships.insert((channel_id, *user_id))),
            // It is in the counts of everyone in it, or not any more.
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

/// A batch, on its way into Redis.
struct Batch<'a> {
    redis: &'a Redis,
    generation: i64,
    /// The position of the last event.
    last: i64,
    /// Where the read tables stood before anything was read from them.
    read_at: i64,
}

impl Batch<'_> {
    /// Those of the workspaces of which anything is cached.
    async fn cached(&self, touched: BTreeMap<WorkspaceId, InWorkspace>) -> Result<Vec<(WorkspaceId, InWorkspace)>, ApplyError> {
        let asked = touched.into_iter().map(|(workspace_id, touched)| async move {
            let root = Of::workspace(self.redis, self.generation, workspace_id);
            let there: bool = self.redis.ask(redis::cmd("EXISTS").arg(root.root())).await?;
            Ok::<_, RedisDown>(there.then_some((workspace_id, touched)))
        });
        Ok(try_join_all(asked).await?.into_iter().flatten().collect())
    }

    async fn apply(&self, tx: &mut PgConnection, workspace_id: WorkspaceId, touched: InWorkspace) -> Result<(), ApplyError> {
        let of = Of::workspace(self.redis, self.generation, workspace_id);
        if touched.everything {
            self.redis.ask::<i64>(redis::cmd("DEL").arg(of.root())).await?;
            return Ok(());
        }
        if !touched.memberships.is_empty() {
            self.forget(&of, &touched.memberships).await?;
        }
        let rows = messages_now(tx, touched.messages).await?;
        let mut channels = BTreeMap::<Uuid, Vec<MessageRow>>::new();
        for row in rows {
            channels.entry(row.channel_id).or_default().push(row);
        }
        let changes = channels.into_iter().map(|(channel_id, rows)| self.change(&of, channel_id, rows));
        try_join_all(changes).await?;
        Ok(())
    }

    /// Memberships are read again when they are asked for.
    async fn forget(&self, of: &Of<'_>, memberships: &BTreeSet<(ChannelId, UserId)>) -> Result<(), RedisDown> {
        let mut call = of.call(&SCRIPTS.forget);
        call.arg(self.last);
        for (channel_id, user_id) in memberships {
            call.arg("channel_members").arg(channel_id.0.simple().to_string());
            call.arg("unread_counts").arg(user_id.0.simple().to_string());
        }
        self.redis.run::<i64>(&SCRIPTS.forget, &call).await.map(drop)
    }

    /// Messages of a channel, as they are now.
    async fn change(&self, of: &Of<'_>, channel_id: Uuid, rows: Vec<MessageRow>) -> Result<(), RedisDown> {
        let mut call = of.call(&SCRIPTS.apply_messages);
        call.arg(channel_id.simple().to_string()).arg(self.last).arg(self.read_at).arg(ROWS).arg(ROWS_MAX).arg(DEEP).arg(DEEP_MAX);
        for row in &rows {
            let stands = !row.is_deleted;
            let on_page = row.thread_id.is_none() && (stands || row.reply_count > 0);
            let said = stands && is_said_by_somebody(&row.message_type);
            let mentions = if said { mentions_of(row.formatted_content.as_ref()) } else { String::new() };
            // An entry is `<place>|<row>`: the script puts it together again.
            let json = if on_page { entry(row).split_off(super::place::PLACE_CHARS + 1) } else { String::new() };
            call.arg(row_place(row)).arg(json).arg(row.user_id.simple().to_string());
            call.arg(u8::from(said && row.thread_id.is_none())).arg(mentions);
        }
        self.redis.run::<i64>(&SCRIPTS.apply_messages, &call).await.map(drop)
    }
}

/// Some messages as they are now, and those that began the threads of deleted ones among them.
async fn messages_now(tx: &mut PgConnection, ids: BTreeSet<Uuid>) -> sqlx::Result<Vec<MessageRow>> {
    let mut rows = rows_now(tx, ids.iter().copied()).await?;
    let roots = rows.iter().filter_map(|row| row.thread_id).filter(|root| !ids.contains(root)).collect::<BTreeSet<_>>();
    if !roots.is_empty() {
        rows.append(&mut rows_now(tx, roots.into_iter()).await?);
    }
    Ok(rows)
}

async fn rows_now(tx: &mut PgConnection, ids: impl Iterator<Item = Uuid>) -> sqlx::Result<Vec<MessageRow>> {
    let (ids, moments): (Vec<Uuid>, Vec<_>) = ids.filter_map(|id| Some((id, MessageId(id).sent_in()?))).unzip();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    query_file_as!(MessageRow, "src/cache/sql/messages_now.sql", &ids, &moments).fetch_all(tx).await
}

impl From<RedisDown> for ApplyError {
    fn from(error: RedisDown) -> Self {
        Self::Elsewhere { store: "redis", source: Box::new(error) }
    }
}
