//! Messages that are pinned to their channel.

use actix_web::web::{Data, Path};
use actix_web::{delete, get, put};
use chrono::{DateTime, Utc};
use commands::Commands;
use domain::MessageCommand;
use projections::ReadModels;
use projections::relational::messages::MessageRow;
use uuid::Uuid;

use super::answer::{Done, RowFollows};
use super::command_rows::CommandRows;
use super::headers::{CommandHeaders, QueryHeaders};
use super::path::{ChannelPath, MessagePath};
use super::with::MessageListQuery;
use crate::extract::{Command, Cursor, Page, Query, QueryAnswer, Reading, no_cursor, page_limit, reject_unless_moment};
use crate::problem::Problem;

/// Pin a message to its channel
///
/// Members of the channel with the permission `message.pin` may do this. If it is pinned already, nothing changes.
#[utoipa::path(tag = "messages", params(MessagePath, CommandHeaders),
    responses((status = 200, description = "The message, which is pinned.", body = MessageRow), RowFollows))]
#[put("/messages/{message_id}/pin")]
pub async fn pin_message(path: Path<MessagePath>, command: Command, rows: CommandRows) -> Result<Done<MessageRow>, Problem> {
    rows.change_message(&command, path.message_id, MessageCommand::Pin).await
}

/// Unpin a message
///
/// Members of the channel with the permission `message.pin` may do this, also if somebody else pinned the
/// message. If it is not pinned, nothing changes.
#[utoipa::path(tag = "messages", params(MessagePath, CommandHeaders), responses((status = 204, description = "The message is not pinned any more.")))]
#[delete("/messages/{message_id}/pin")]
pub async fn unpin_message(path: Path<MessagePath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    Ok(Done::no_content(commands.message(&command.asked(), path.message_id, MessageCommand::Unpin).await?))
}

/// List a channel's pinned messages, most recently pinned first
///
/// Everybody who may see the channel may ask. The order is that of the pins, and not of the messages.
#[utoipa::path(tag = "messages", params(ChannelPath, MessageListQuery, QueryHeaders),
    responses((status = 200, description = "The pinned messages.", body = Page<MessageRow>)))]
#[get("/channels/{channel_id}/pins")]
pub async fn list_pins(
    path: Path<ChannelPath>,
    query: Query<MessageListQuery>,
    reading: Reading,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<Page<MessageRow>>, Problem> {
    reading.access.channel(path.channel_id).await?;
    let (after, limit) = (read_pin_key("after", query.after.as_deref())?, page_limit(query.limit)?);
    let rows = read_models.pins(path.channel_id, after, limit + 1).await?;
    let mut page = Page::cut(rows, limit, pin_key);
    page.items = query.shown().of_messages(page.items);
    Ok(reading.answer(page))
}

/// The time when a message was pinned, and the message's identifier.
type PinKey = (DateTime<Utc>, Uuid);

fn pin_key(row: &MessageRow) -> PinKey {
    // A pinned message always has the time.
    (row.pinned_at.unwrap_or_default(), row.message_id)
}

fn read_pin_key(field: &'static str, text: Option<&str>) -> Result<Option<PinKey>, Problem> {
    let pin_key = Cursor::<PinKey>::read(field, text)?;
    pin_key.map_or(Ok(()), |(pinned_at, _)| reject_unless_moment(field, pinned_at)).map_err(|_| no_cursor(field))?;
    Ok(pin_key)
}
