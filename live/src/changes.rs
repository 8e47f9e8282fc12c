//! A page of the changes in a workspace behind a cursor.
//!
//! The log is the queue: nothing is kept for a client. A page reads the events of the workspace and of people, leaves out
//! those that the caller may not see, and makes the frames of the others. Its cost is bounded by the events that it looks
//! at, not by those that the caller sees.

use std::sync::Arc;

use commands::{Audience, Past, ReadAccess};
use domain::ids::{LogId, MessageId, WorkspaceId};
use domain::{Event, Recorded};
use keyring::Keyring;
use serde::Serialize;
use sqlx::PgPool;
use stores::log::read;
use utoipa::ToSchema;

use crate::audience::audience;
use crate::cursor::Cursor;
use crate::error::ChangesError;
use crate::frame::EventFrame;
use crate::material::{Material, message_of, readable};
use crate::message::FoldedMessage;
use crate::tail::{Found, Tail};

/// The most events that one page looks at. A page of a caller who may see few of them has fewer frames than were asked
/// for, and its cursor is behind the last event that was looked at.
pub const LOOKED_AT_MAX: usize = 2_000;

/// How many events are read at first. If the caller may see few of them, more are read at a time.
const FIRST_READ: usize = 128;

/// The pages of changes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Changes {
    material: Material,
    tail: Tail,
    log_id: LogId,
    /// The most events of a workspace behind a cursor. If there are more, the client must read the state instead.
    behind_max: u32,
}

/// The changes behind a cursor.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ChangesPage {
    /// The identifier of the log. It changes if the database is restored or recovered, and positions of another log do not
    /// count.
    pub log_id: uuid::Uuid,
    /// The events that the caller sees, in the order of their positions.
    pub items: Vec<EventFrame>,
    /// The cursor of the next page. Every page has one: later events come behind it.
    pub next: String,
    /// Whether the next page can be read at once. Otherwise, this page ends where the log ended.
    pub has_more: bool,
    /// The server cannot continue from the cursor. The client must read the state again, at the position of `next` or later,
    /// and go on from `next`. Absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset: Option<Reset>,
    /// The position of `next`.
    #[serde(skip)]
    pub position: i64,
}

/// The client must read the state again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Reset {
    /// Why.
    #[schema(inline)]
    pub reason: ResetReason,
}

/// Why a client must read the state again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResetReason {
    /// The cursor is of another log: the database was restored from a backup.
    LogChanged,
    /// The cursor is ahead of the log.
    AheadOfLog,
    /// More events lie behind the cursor than the server's setting allows.
    TooFarBehind,
}

/// A part of the log, and where it ends.
pub(crate) struct Part {
    pub(crate) events: Vec<Arc<Recorded<Event>>>,
    /// The position up to which everything was looked at.
    pub(crate) to: i64,
    looked_at: usize,
}

impl Changes {
    /// Reads through this pool. `behind_max` is the most events of a workspace that a client may have missed.
    /// If this process has a hub, it keeps the last `tail_events` events of the log in memory.
    #[must_use]
    pub fn new(pool: PgPool, keys: Keyring, log_id: LogId, behind_max: u32, tail_events: u32) -> Self {
        Self { material: Material { pool, keys }, tail: Tail::of(tail_events), log_id, behind_max }
    }

    /// The identifier of the log.
    #[must_use]
    pub fn log_id(&self) -> LogId {
        self.log_id
    }

    /// The cursor of a position of this log.
    #[must_use]
    pub fn cursor(&self, position: i64) -> Cursor {
        Cursor { log_id: self.log_id, position }
    }

    /// Returns the page behind `after`, with at most `limit` frames. Without a cursor, an empty page that ends where the
    /// log ends. A page reaches the position of `access` at most.
    ///
    /// # Errors
    /// The caller is not a member of the workspace, or a store failed.
    pub async fn page(
        &self,
        access: &ReadAccess,
        workspace_id: WorkspaceId,
        after: Option<Cursor>,
        limit: u16,
    ) -> Result<ChangesPage, ChangesError> {
        access.active_member(workspace_id).await?;
        let end = access.position();
        let Some(after) = after else { return Ok(self.ends_at(end, Vec::new(), end, None)) };
        if let Some(reason) = self.reset(Some(workspace_id), after, end).await? {
            return Ok(self.ends_at(end, Vec::new(), end, Some(Reset { reason })));
        }
        let (mut frames, mut reached, mut looked_at, mut read, mut past) = (Vec::new(), after.position, 0, FIRST_READ, None);
        let limit = usize::from(limit);
        while reached < end && frames.len() < limit && looked_at < LOOKED_AT_MAX {
            let part = self.part(&[workspace_id], reached, end, read.min(LOOKED_AT_MAX - looked_at)).await?;
            let here = part.events.iter().map(AsRef::as_ref).collect::<Vec<_>>();
            let more = self.frames(access, workspace_id, (reached, part.to), &here, &mut past).await?;
            let (is_over, room) = (more.len() > limit - frames.len(), limit - frames.len());
            frames.extend(more.into_iter().take(room));
            reached = if is_over { frames.last().map_or(part.to, EventFrame::position) } else { part.to };
            looked_at += part.looked_at;
            read *= 4;
        }
        Ok(self.ends_at(reached, frames, end, None))
    }

    fn ends_at(&self, position: i64, items: Vec<EventFrame>, end: i64, reset: Option<Reset>) -> ChangesPage {
        let next = self.cursor(position).to_string();
        ChangesPage { log_id: self.log_id.0, items, next, has_more: position < end, reset, position }
    }

    /// The last events of the log. The hub of this process keeps them up to date, if it has one.
    pub(crate) fn tail(&self) -> &Tail {
        &self.tail
    }

    /// The contents of frames.
    pub(crate) fn material(&self) -> &Material {
        &self.material
    }

    /// Why a client with this cursor must begin anew. Without a workspace, only the cursor itself is compared.
    pub(crate) async fn reset(
        &self,
        workspace_id: Option<WorkspaceId>,
        after: Cursor,
        end: i64,
    ) -> Result<Option<ResetReason>, ChangesError> {
        if after.log_id != self.log_id {
            return Ok(Some(ResetReason::LogChanged));
        }
        if after.position > end {
            return Ok(Some(ResetReason::AheadOfLog));
        }
        let Some(workspace_id) = workspace_id.filter(|_| end - after.position > i64::from(self.behind_max)) else { return Ok(None) };
        let is_far = stores::log::has_more_than(&self.material.pool, workspace_id, after.position, self.behind_max).await?;
        Ok(is_far.then_some(ResetReason::TooFarBehind))
    }

    /// Reads the next events of the workspaces and of people.
    pub(crate) async fn part(&self, workspaces: &[WorkspaceId], after: i64, end: i64, limit: usize) -> Result<Part, ChangesError> {
        if let Some(Found { events, to }) = self.tail.read(workspaces, after, end, limit) {
            let looked_at = events.len();
            return Ok(Part { events, to, looked_at });
        }
        let Material { pool, keys } = &self.material;
        let found = read::read_of_workspaces(pool, keys, workspaces, after, end, limit).await?;
        let to = found.last().filter(|_| found.len() >= limit).map_or(end, |last| last.position);
        let looked_at = found.len();
        Ok(Part { events: found.into_iter().filter_map(readable).map(Arc::new).collect(), to, looked_at })
    }

    /// The frames of those events that the caller may see. `events` are those of the workspace, and of people, from the
    /// first position to the second one. `past` is kept from one part of the log to the next one.
    pub(crate) async fn frames(
        &self,
        access: &ReadAccess,
        workspace_id: WorkspaceId,
        (after, to): (i64, i64),
        events: &[&Recorded<Event>],
        past: &mut Option<Past>,
    ) -> Result<Vec<EventFrame>, ChangesError> {
        let messages = self.material.messages(events, to, access.position()).await?;
        let channel_of = |message_id: MessageId| messages.get(&message_id).and_then(FoldedMessage::channel_id);
        let of_audiences = events.iter().filter_map(|event| Some((*event, audience(event, channel_of).ok()?))).collect::<Vec<_>>();
        if of_audiences.is_empty() {
            return Ok(Vec::new());
        }
        let audiences = of_audiences.iter().map(|(_, audience)| audience.clone()).collect::<Vec<Audience>>();
        let earlier = past.take();
        let past = past.insert(access.past(workspace_id, after, &audiences, earlier).await?);
        let seen = of_audiences.into_iter().filter(|(event, audience)| past.may_see(event.position, audience));
        let mut seen = seen.map(|(event, _)| event).collect::<Vec<_>>();
        let shown = access.shown();
        let gone = self.material.gone(&shown, &seen, &messages).await?;
        seen.retain(|event| !gone.contains(&message_of(event)));
        self.material.make(&shown, workspace_id, past, &seen, &messages).await
    }
}
