//! The queries of retention: channels that have a policy, threads that are old enough, and how many messages those
//! have. Also the messages that it has archived.

use chrono::{DateTime, Utc};
use domain::ids::{ChannelId, MessageId, UserId, WorkspaceId};
use domain::retention::{RetentionAction, RetentionCandidates, RetentionPolicy, policy_of};
use sqlx::types::Json;
use sqlx::{query_file_as, query_scalar};
use uuid::Uuid;

use super::messages::{Cursor, HistoryPage, MessageRow};
use crate::read_models::{QueryError, ReadModels, rows};

/// A channel that has a retention policy.
#[derive(Clone, Debug, PartialEq)]
pub struct RetentionChannel {
    /// The channel.
    pub channel_id: ChannelId,
    /// The channel's workspace.
    pub workspace_id: WorkspaceId,
    /// The channel's name, if it has one.
    pub name: Option<String>,
    /// The policy that applies to the channel.
    pub policy: RetentionPolicy,
    /// Whether the policy is the channel's own, and not the workspace's.
    pub is_own: bool,
}

/// The conditions for messages of a channel that are due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The channel.
    pub channel_id: ChannelId,
    /// Messages that were sent before this time are due.
    pub cut_off: DateTime<Utc>,
    /// What happens to them.
    pub action: RetentionAction,
    /// Whether pinned messages stay.
    pub keep_pinned: bool,
    /// People under legal hold. Their messages are not due.
    pub held: Vec<UserId>,
}

/// The number of due messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueCount {
    /// The number of messages that are due.
    pub messages: i64,
    /// The number of messages that would be due without a legal hold.
    pub held: i64,
    /// When the oldest due message was sent.
    pub oldest: Option<DateTime<Utc>>,
}

/// Threads that are due, oldest first. A page may have fewer than were asked for, or none, although others follow.
#[derive(Clone, Debug, PartialEq)]
pub struct DuePage {
    /// The messages to archive or purge.
    pub cut: RetentionCandidates,
    /// The position of the read tables at that time.
    pub read_at: i64,
    /// The place where the next page begins. `None` on the last page.
    pub next: Option<Cursor>,
}

struct Channel {
    channel_id: Uuid,
    workspace_id: Uuid,
    name: Option<String>,
    channel_policy: Option<Json<RetentionPolicy>>,
    workspace_policy: Option<Json<RetentionPolicy>>,
}

struct Thread {
    read_at: Option<i64>,
    root: Uuid,
    begun_at: DateTime<Utc>,
    messages: Vec<Uuid>,
    is_due: bool,
}

impl Channel {
    fn into_retention_channel(self) -> RetentionChannel {
        let own = self.channel_policy.map(|policy| policy.0);
        RetentionChannel {
            channel_id: ChannelId(self.channel_id),
            workspace_id: WorkspaceId(self.workspace_id),
            name: self.name,
            policy: policy_of(self.workspace_policy.map(|policy| policy.0), own),
            is_own: own.is_some(),
        }
    }
}

impl Due {
    fn held(&self) -> Vec<Uuid> {
        self.held.iter().map(|user_id| user_id.0).collect()
    }

    /// Whether archived messages are included: a policy that now purges also purges what was archived before.
    fn with_archive(&self) -> bool {
        match self.action {
            RetentionAction::Archive => false,
            RetentionAction::Purge => true,
        }
    }
}

impl ReadModels {
    /// Returns the channels that have a retention policy, of one workspace or of all.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn retention_channels(&self, workspace_id: Option<WorkspaceId>) -> Result<Vec<RetentionChannel>, QueryError> {
        let file = query_file_as!(Channel, "src/relational/sql/retention_channels.sql", workspace_id.map(|id| id.0));
        let channels = file.fetch_all(&self.pool).await?.into_iter().map(Channel::into_retention_channel);
        Ok(channels.filter(|channel| channel.policy.days.is_some()).collect())
    }

    /// Counts the due messages of a channel.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn count_due(&self, due: &Due) -> Result<DueCount, QueryError> {
        let file = query_file_as!(
            DueCount,
            "src/relational/sql/count_due.sql",
            due.channel_id.0,
            due.cut_off,
            due.keep_pinned,
            &due.held(),
            due.with_archive()
        );
        Ok(file.fetch_one(&self.pool).await?)
    }

    /// Returns the due ones of the next `limit` threads of a channel that begin before the cut-off, behind `after`.
    /// The cost depends on these threads only, and not on the rest of the channel.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn due_threads(&self, due: &Due, after: Option<Cursor>, limit: u32) -> Result<DuePage, QueryError> {
        let after = after.unwrap_or(Cursor { created_at: DateTime::<Utc>::UNIX_EPOCH, message_id: Uuid::nil() });
        let file = query_file_as!(
            Thread,
            "src/relational/sql/due_threads.sql",
            due.channel_id.0,
            due.cut_off,
            due.keep_pinned,
            &due.held(),
            due.with_archive(),
            after.created_at,
            after.message_id,
            i64::from(limit)
        );
        let threads = file.fetch_all(&self.pool).await?;
        let is_full = u32::try_from(threads.len()).is_ok_and(|count| count >= limit);
        let last = threads.last().map(|thread| Cursor { created_at: thread.begun_at, message_id: thread.root });
        Ok(DuePage {
            read_at: threads.iter().filter_map(|thread| thread.read_at).min().unwrap_or(0),
            next: last.filter(|_| is_full),
            cut: RetentionCandidates {
                channel_id: due.channel_id,
                cut_off: due.cut_off,
                threads: threads
                    .into_iter()
                    .filter(|thread| thread.is_due)
                    .map(|thread| thread.messages.into_iter().map(MessageId).collect())
                    .collect(),
            },
        })
    }

    /// Returns a page of a channel's archived messages, oldest first, with the answers in threads.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn archive(&self, channel_id: ChannelId, page: HistoryPage, limit: u16) -> Result<Vec<MessageRow>, QueryError> {
        match page {
            HistoryPage::Latest => self.archive_before(channel_id, Cursor::end(), limit).await,
            HistoryPage::Before(cursor) => self.archive_before(channel_id, cursor, limit).await,
            HistoryPage::After(cursor) => self.archive_after(channel_id, cursor, limit).await,
            HistoryPage::Around(message_id) => {
                let Some(middle) = self.archived_at(channel_id, message_id).await? else { return Ok(Vec::new()) };
                let mut page = self.archive_before(channel_id, middle, limit / 2).await?;
                page.append(&mut self.archive_after(channel_id, middle, limit - limit / 2).await?);
                Ok(page)
            }
        }
    }

    /// The place right before an archived message of the channel.
    async fn archived_at(&self, channel_id: ChannelId, message_id: MessageId) -> Result<Option<Cursor>, QueryError> {
        let (earliest, latest) = message_id.window();
        let created_at = query_scalar!(
            "SELECT created_at FROM messages_archive WHERE message_id = $1 AND created_at BETWEEN $2 AND $3 AND channel_id = $4",
            message_id.0,
            earliest,
            latest,
            channel_id.0,
        );
        let created_at = created_at.fetch_optional(&self.pool).await?;
        Ok(created_at.map(|created_at| Cursor { created_at, message_id: message_id.0 }.just_before()))
    }

    async fn archive_before(&self, channel_id: ChannelId, end: Cursor, limit: u16) -> Result<Vec<MessageRow>, QueryError> {
        let file =
            query_file_as!(MessageRow, "src/relational/sql/archive_before.sql", channel_id.0, end.created_at, end.message_id, rows(limit));
        let mut page = file.fetch_all(&self.pool).await?;
        page.reverse();
        Ok(page)
    }

    async fn archive_after(&self, channel_id: ChannelId, start: Cursor, limit: u16) -> Result<Vec<MessageRow>, QueryError> {
        let file = query_file_as!(
            MessageRow,
            "src/relational/sql/archive_after.sql",
            channel_id.0,
            start.created_at,
            start.message_id,
            rows(limit)
        );
        Ok(file.fetch_all(&self.pool).await?)
    }
}
