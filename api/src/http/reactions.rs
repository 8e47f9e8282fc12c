//! Reactions to messages.

use actix_web::web::{Data, Path};
use actix_web::{delete, get, put};
use commands::{CommandError, Commands};
use domain::text::Emoji;
use domain::{MessageCommand, MessageRefusal};
use projections::ReadModels;
use projections::relational::messages::{MessageRow, ReactionRow};

use super::answer::{Done, RowFollows};
use super::command_rows::CommandRows;
use super::headers::{CommandHeaders, QueryHeaders};
use super::members::PageQuery;
use super::path::ReactionPath;
use crate::extract::{Command, Cursor, Page, Query, QueryAnswer, Reading, page_limit};
use crate::problem::Problem;

/// React to a message with an emoji
///
/// Members of the channel with the permission `message.react` may do this. The emoji is kept in one form: `❤`, `❤️` and
/// `heart` are one reaction. The name of an emoji of the workspace is a reaction too. The same reaction again changes
/// nothing.
#[utoipa::path(tag = "messages", params(ReactionPath, CommandHeaders),
    responses((status = 200, description = "The message with the reaction.", body = MessageRow), RowFollows))]
#[put("/messages/{message_id}/reactions/{emoji}")]
pub async fn react(path: Path<ReactionPath>, command: Command, rows: CommandRows) -> Result<Done<MessageRow>, Problem> {
    let emoji = Emoji::parse(&path.emoji).map_err(|_| CommandError::from(MessageRefusal::NotAnEmoji))?;
    rows.change_message(&command, path.message_id, MessageCommand::React { emoji }).await
}

/// Remove the caller's reaction from a message
///
/// Members of the channel with the permission `message.react` may do this, each for their own reactions. If there is
/// none, nothing changes.
#[utoipa::path(tag = "messages", params(ReactionPath, CommandHeaders), responses((status = 204, description = "The reaction is removed.")))]
#[delete("/messages/{message_id}/reactions/{emoji}")]
pub async fn take_reaction_back(path: Path<ReactionPath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    let take_back = MessageCommand::RemoveReaction { emoji: Emoji::to_remove(&path.emoji) };
    Ok(Done::no_content(commands.message(&command.asked(), path.message_id, take_back).await?))
}

/// List the users who reacted to a message with an emoji, in order of their reactions
///
/// Everybody who may see the channel may ask. The rows of messages have at most 50 people of each emoji; this list has
/// all.
#[utoipa::path(tag = "messages", params(ReactionPath, PageQuery, QueryHeaders),
    responses((status = 200, description = "The users.", body = Page<ReactionRow>)))]
#[get("/messages/{message_id}/reactions/{emoji}")]
pub async fn list_reactions(
    path: Path<ReactionPath>,
    query: Query<PageQuery>,
    reading: Reading,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<Page<ReactionRow>>, Problem> {
    reading.access.message(path.message_id).await?;
    let emoji = Emoji::to_remove(&path.emoji);
    let (after, limit) = (Cursor::<i64>::read("after", query.after.as_deref())?, page_limit(query.limit)?);
    let rows = read_models.reactions_of(path.message_id, emoji.as_str(), after, limit + 1).await?;
    Ok(reading.answer(Page::cut(rows, limit, |row| row.position)))
}
