//! Messages that are pinned to their channel.

use actix_web::web::{Data, Path};
use actix_web::{delete, get, put};
use commands::Commands;
use domain::MessageCommand;
use projections::ReadModels;
use projections::relational::messages::MessageRow;

use super::answer::Done;
use super::headers::{CommandHeaders, QueryHeaders};
use super::path::{ChannelPath, MessagePath};
use crate::extract::{Command, Page, Reading, Seen};
use crate::problem::Problem;

/// Pin a message to its channel
#[utoipa::path(tag = "messages", params(MessagePath, CommandHeaders), responses((status = 204, description = "The message is pinned.")))]
#[put("/messages/{message_id}/pin")]
pub async fn pin_message(path: Path<MessagePath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    Ok(Done::quietly(commands.message(&command.asked(), path.message_id, MessageCommand::Pin).await?))
}

/// Unpin a message
#[utoipa::path(tag = "messages", params(MessagePath, CommandHeaders), responses((status = 204, description = "The message is not pinned any more.")))]
#[delete("/messages/{message_id}/pin")]
pub async fn unpin_message(path: Path<MessagePath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    Ok(Done::quietly(commands.message(&command.asked(), path.message_id, MessageCommand::Unpin).await?))
}

/// List a channel's pinned messages, most recently pinned first
#[utoipa::path(tag = "messages", params(ChannelPath, QueryHeaders),
    responses((status = 200, description = "The pinned messages.", body = Page<MessageRow>)))]
#[get("/channels/{channel_id}/pins")]
pub async fn list_pins(
    path: Path<ChannelPath>,
    reading: Reading,
    read_models: Data<ReadModels>,
) -> Result<Seen<Page<MessageRow>>, Problem> {
    reading.access.channel(path.channel_id).await?;
    Ok(reading.answer(Page::whole(read_models.pins(path.channel_id).await?)))
}
