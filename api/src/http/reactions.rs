//! Reactions to messages.

use actix_web::web::{Data, Path};
use actix_web::{delete, put};
use commands::{CommandError, Commands};
use domain::{MessageCommand, MessageRefusal};
use domain::text::Emoji;

use super::answer::Done;
use super::headers::CommandHeaders;
use super::path::ReactionPath;
use crate::extract::Command;
use crate::problem::Problem;

/// React to a message with an emoji
///
/// The emoji is kept in one form: `❤`, `❤️` and `heart` are one reaction. The name of an emoji of the workspace is a
/// reaction too.
#[utoipa::path(tag = "messages", params(ReactionPath, CommandHeaders), responses((status = 204, description = "The reaction is added.")))]
#[put("/messages/{message_id}/reactions/{emoji}")]
pub async fn react(path: Path<ReactionPath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    let emoji = Emoji::parse(&path.emoji).map_err(|_| CommandError::from(MessageRefusal::NotAnEmoji))?;
    let react = MessageCommand::React { emoji };
    Ok(Done::no_content(commands.message(&command.asked(), path.message_id, react).await?))
}

/// Remove the caller's reaction from a message
#[utoipa::path(tag = "messages", params(ReactionPath, CommandHeaders), responses((status = 204, description = "The reaction is removed.")))]
#[delete("/messages/{message_id}/reactions/{emoji}")]
pub async fn take_reaction_back(path: Path<ReactionPath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    let take_back = MessageCommand::TakeReactionBack { emoji: Emoji::to_remove(&path.emoji) };
    Ok(Done::no_content(commands.message(&command.asked(), path.message_id, take_back).await?))
}
