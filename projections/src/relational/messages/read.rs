//! Queries on messages. Pages are found by key, never by offset.

use chrono::{DateTime, Utc};
use domain::ids::{ChannelId, MessageId, UserId, WorkspaceId};
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor, query_file, query_file_as};
use uuid::Uuid;

use super::rows::{Cursor, EarlierText, HistoryPage, MessageDetail, MessageRow, ThreadRows};
use super::threads::add_threads;
use crate::read_models::{QueryError, ReadModels, rows};

impl ReadModels {
    /// Returns a page of a channel's history, oldest first, without the answers in threads. A deleted message that has
    /// answers is included without its text. A page around a message that is not in the channel is empty.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn history(&self, channel_id: ChannelId, page: HistoryPage, limit: u16) -> Result<Vec<MessageRow>, QueryError> {
        let page = match page {
            HistoryPage::Latest => self.history_before(channel_id, Cursor::end(), limit).await?,
            HistoryPage::Before(cursor) => self.history_before(channel_id, cursor, limit).await?,
            HistoryPage::After(cursor) => self.history_after(channel_id, cursor, limit).await?,
            HistoryPage::Around(message_id) => self.history_around(channel_id, message_id, limit).await?,
        };
        self.with_threads(page).await
    }

    /// Returns a thread: its root, and a page of its answers, oldest first. `None` if the message does not exist. A
    /// page around a message that is not in the thread is empty.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn thread(&self, root_id: MessageId, page: HistoryPage, limit: u16) -> Result<Option<ThreadRows>, QueryError> {
        let Some(root) = self.message(root_id).await?.map(|found| found.message) else {
            return Ok(None);
        };
        let replies = match page {
            HistoryPage::Latest => self.replies_before(&root, Cursor::end(), limit).await?,
            HistoryPage::Before(cursor) => self.replies_before(&root, cursor, limit).await?,
            HistoryPage::After(cursor) => self.replies_after(&root, cursor, limit).await?,
            HistoryPage::Around(message_id) => self.replies_around(&root, message_id, limit).await?,
        };
        Ok(Some(ThreadRows { root, replies }))
    }

    /// Returns one message, with its earlier texts. A deleted message is returned without its text.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn message(&self, message_id: MessageId) -> Result<Option<MessageDetail>, QueryError> {
        let (earliest, latest) = message_id.window();
        // Before the message: a change between the two statements makes its position older than the message, never newer.
        let stored = query_file!("src/relational/sql/edit_history.sql", message_id.0, earliest, latest).fetch_optional(&self.pool).await?;
        let Some(stored) = stored else { return Ok(None) };
        let message = self.message_row(message_id).await?;
        Ok(message.map(|message| MessageDetail { message, edit_history: stored.edit_history.0, position: stored.position }))
    }

    /// Returns one message, without its earlier texts.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn message_row(&self, message_id: MessageId) -> Result<Option<MessageRow>, QueryError> {
        let (earliest, latest) = message_id.window();
        let file = query_file_as!(MessageRow, "src/relational/sql/message.sql", message_id.0, earliest, latest);
        let found = file.fetch_optional(&self.pool).await?;
        Ok(self.with_threads(found.into_iter().collect()).await?.pop())
    }

    /// Returns a channel's pinned messages, the last pinned first.
    ///
    /// `before` is the pin time and the identifier of the last message of the previous page.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn pins(
        &self,
        channel_id: ChannelId,
        before: Option<(DateTime<Utc>, Uuid)>,
        limit: u16,
    ) -> Result<Vec<MessageRow>, QueryError> {
        let (pinned_at, message_id) = before.unzip();
        let file = query_file_as!(MessageRow, "src/relational/sql/pins.sql", channel_id.0, pinned_at, message_id, rows(limit));
        self.with_threads(file.fetch_all(&self.pool).await?).await
    }

    /// Returns the messages of a workspace that mention a user, newest first, from all channels. The caller leaves out
    /// those that the user may not read. `before` is the last message of the page before.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn mentions_of(
        &self,
        user_id: UserId,
        workspace_id: WorkspaceId,
        before: Option<Cursor>,
        limit: u16,
    ) -> Result<Vec<MessageRow>, QueryError> {
        let before = before.unwrap_or_else(Cursor::end);
        let file = query_file_as!(
            MessageRow,
            "src/relational/sql/mentions_of.sql",
            user_id.0,
            workspace_id.0,
            before.created_at,
            before.message_id,
            rows(limit)
        );
        self.with_threads(file.fetch_all(&self.pool).await?).await
    }

    async fn history_before(&self, channel_id: ChannelId, end: Cursor, limit: u16) -> Result<Vec<MessageRow>, QueryError> {
        Ok(read_before(&self.pool, channel_id, end, limit).await?)
    }

    async fn history_after(&self, channel_id: ChannelId, start: Cursor, limit: u16) -> Result<Vec<MessageRow>, QueryError> {
        let file = query_file_as!(
            MessageRow,
            "src/relational/sql/history_after.sql",
            channel_id.0,
            start.created_at,
            start.message_id,
            rows(limit)
        );
        Ok(file.fetch_all(&self.pool).await?)
    }

    async fn history_around(&self, channel_id: ChannelId, message_id: MessageId, limit: u16) -> Result<Vec<MessageRow>, QueryError> {
        let found = self.message_row(message_id).await?.filter(|row| row.channel_id == channel_id.0);
        let Some(middle) = found.map(|row| row.cursor()) else { return Ok(Vec::new()) };
        let (older, newer) = halves(limit);
        let mut page = self.history_before(channel_id, middle, older).await?;
        page.append(&mut self.history_after(channel_id, middle.just_before(), newer).await?);
        Ok(page)
    }

    async fn replies_before(&self, root: &MessageRow, end: Cursor, limit: u16) -> Result<Vec<MessageRow>, QueryError> {
        let file = query_file_as!(
            MessageRow,
            "src/relational/sql/replies_before.sql",
            root.channel_id,
            root.message_id,
            end.created_at,
            end.message_id,
            rows(limit)
        );
        Ok(oldest_first(file.fetch_all(&self.pool).await?))
    }

    async fn replies_after(&self, root: &MessageRow, start: Cursor, limit: u16) -> Result<Vec<MessageRow>, QueryError> {
        let file = query_file_as!(
            MessageRow,
            "src/relational/sql/replies_after.sql",
            root.channel_id,
            root.message_id,
            start.created_at,
            start.message_id,
            rows(limit)
        );
        Ok(file.fetch_all(&self.pool).await?)
    }

    async fn replies_around(&self, root: &MessageRow, message_id: MessageId, limit: u16) -> Result<Vec<MessageRow>, QueryError> {
        let is_in_thread = |row: &MessageRow| row.message_id == root.message_id || row.thread_id == Some(root.message_id);
        let found = self.message_row(message_id).await?.filter(is_in_thread);
        let Some(middle) = found.map(|row| row.cursor()) else { return Ok(Vec::new()) };
        let (older, newer) = halves(limit);
        let mut page = self.replies_before(root, middle, older).await?;
        page.append(&mut self.replies_after(root, middle.just_before(), newer).await?);
        Ok(page)
    }
}

/// Reads the newest page of a channel's history, oldest first, in the transaction of the connection.
pub(crate) async fn newest(connection: &mut PgConnection, channel_id: ChannelId, limit: u16) -> sqlx::Result<Vec<MessageRow>> {
    let mut page = read_before(&mut *connection, channel_id, Cursor::end(), limit).await?;
    add_threads(connection, &mut page).await?;
    Ok(page)
}

async fn read_before(executor: impl PgExecutor<'_>, channel_id: ChannelId, end: Cursor, limit: u16) -> sqlx::Result<Vec<MessageRow>> {
    let file =
        query_file_as!(MessageRow, "src/relational/sql/history_before.sql", channel_id.0, end.created_at, end.message_id, rows(limit));
    Ok(oldest_first(file.fetch_all(executor).await?))
}

fn oldest_first(mut newest_first: Vec<MessageRow>) -> Vec<MessageRow> {
    newest_first.reverse();
    newest_first
}

/// How many rows before a message to read, and how many from the message on.
fn halves(limit: u16) -> (u16, u16) {
    let limit = limit.min(ReadModels::PAGE_ROWS_MAX);
    (limit / 2, limit - limit / 2)
}
