//! Unread messages and read markers of the caller. Read markers are not events: they change all the time, and no audit
//! needs them.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, put};
use commands::Commands;
use domain::ids::{ChannelId, MessageId};
use projections::Progress;
use projections::cache::{Caches, ChannelUnread, MarkerMove, ReadMarker};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::counts::{readable_unread, totals};
use super::headers::QueryHeaders;
use super::members::PageQuery;
use super::path::{ChannelPath, WorkspacePath};
use crate::extract::{Actor, Body, Cursor, Page, Query, QueryAnswer, Reading, catch_up, page_limit};
use crate::problem::Problem;
use crate::signals::{Marker, Signals};

/// The caller's new read marker.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveReadMarker {
    /// The last message that the caller has read. It must be in the channel.
    #[schema(value_type = Uuid)]
    message_id: MessageId,
    /// Whether the marker may move back, so that read messages count as unread again.
    #[serde(default)]
    move_back: bool,
}

/// Move the caller's read marker in a channel, on all their devices
///
/// The marker moves back only if the request asks for it. Otherwise the furthest device counts. The answer gives the
/// marker's place. Only members of the channel have a marker.
#[utoipa::path(tag = "unread", request_body = MoveReadMarker, params(ChannelPath),
    responses((status = 200, description = "The marker after the request.", body = ReadMarker)))]
#[put("/channels/{channel_id}/read-marker")]
pub async fn move_read_marker(
    path: Path<ChannelPath>,
    actor: Actor,
    body: Body<MoveReadMarker>,
    commands: Data<Commands>,
    caches: Data<Caches>,
    signals: Data<Signals>,
) -> Result<HttpResponse, Problem> {
    let MoveReadMarker { message_id, move_back } = body.input;
    let (workspace_id, created_at) = commands.read_access(actor.user_id).await?.message_of_member(path.channel_id, message_id).await?;
    let to = MarkerMove { workspace_id, channel_id: path.channel_id, message_id, created_at, back: move_back };
    let marker = caches.move_read_marker(actor.user_id, to).await?;
    let moved = Marker { channel_id: path.channel_id, message_id: marker.message_id, created_at: marker.created_at };
    signals.marker_moved(actor.user_id, workspace_id, Some(moved));
    Ok(HttpResponse::Ok().json(marker))
}

/// Mark everything as read in all of the caller's channels of a workspace
///
/// The markers move to the newest messages, in threads too. Markers in archived channels stay. Messages that are posted
/// while the request runs may remain unread.
#[utoipa::path(tag = "unread", params(WorkspacePath), responses((status = 204, description = "Everything is marked as read.")))]
#[put("/workspaces/{workspace_id}/read-marker")]
pub async fn mark_everything_read(
    path: Path<WorkspacePath>,
    actor: Actor,
    commands: Data<Commands>,
    progress: Data<Progress>,
    caches: Data<Caches>,
    signals: Data<Signals>,
) -> Result<HttpResponse, Problem> {
    commands.read_access(actor.user_id).await?.active_member(path.workspace_id).await?;
    // The read tables say which message is the newest, so they must have what the caller has seen.
    catch_up(&commands, &progress).await?;
    caches.mark_everything_read(actor.user_id, path.workspace_id).await?;
    signals.marker_moved(actor.user_id, path.workspace_id, None);
    Ok(HttpResponse::NoContent().finish())
}

/// The caller's unread messages in a workspace.
#[derive(Serialize, ToSchema)]
pub struct UnreadCounts {
    /// Unread messages in the channels with the notification level `all`.
    #[schema(minimum = 0)]
    unread: i64,
    /// Unread messages that mention the caller or everyone, except in channels with the notification level `none`.
    #[schema(minimum = 0)]
    mentions: i64,
    /// A page of the caller's channels that are not archived, ordered by identifier. The totals count all of them.
    channels: Vec<ChannelUnread>,
    /// The cursor of the next page. It is absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl UnreadCounts {
    /// Sums up the channels. The caller's notification level of each channel decides which totals include it.
    fn of(channels: Vec<ChannelUnread>, after: Option<ChannelId>, limit: u16) -> Self {
        let (unread, mentions) = totals(&channels);
        let page = Page::among(channels, after, limit, |channel| ChannelId(channel.channel_id));
        Self { unread, mentions, channels: page.items, next: page.next }
    }
}

/// Count the caller's unread messages in a workspace, by channel
///
/// Messages after the read marker count, or after the caller joined. The caller's own messages, deleted messages and
/// system messages do not count. Replies in threads count only if they mention the caller or everyone. Each channel
/// counts its newest thousand messages.
#[utoipa::path(tag = "unread", params(WorkspacePath, PageQuery, QueryHeaders),
    responses((status = 200, description = "The counts.", body = UnreadCounts)))]
#[get("/workspaces/{workspace_id}/unread")]
pub async fn get_unread(
    path: Path<WorkspacePath>,
    query: Query<PageQuery>,
    reading: Reading,
    caches: Data<Caches>,
) -> Result<QueryAnswer<UnreadCounts>, Problem> {
    let (after, limit) = (Cursor::<ChannelId>::read("after", query.after.as_deref())?, page_limit(query.limit)?);
    reading.access.active_member(path.workspace_id).await?;
    let unread = readable_unread(&caches, &reading.access, path.workspace_id, reading.min_position).await?;
    Ok(Reading::answer_at(unread.position, UnreadCounts::of(unread.channels, after, limit)))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn muted_channels_are_in_no_total_and_mentions_only_channels_in_one() {
        let channel = |level: &str, unread, mentions| ChannelUnread {
            channel_id: Uuid::nil(),
            notification_level: level.to_owned(),
            last_read_message_id: None,
            unread,
            mentions,
            more: false,
        };
        let counts = UnreadCounts::of(vec![channel("all", 1, 10), channel("mentions", 2, 20), channel("none", 4, 40)], None, 2);
        assert_eq!((counts.unread, counts.mentions), (1, 30));
    }
}
