//! The emojis that a workspace has beside those of Unicode. For now each is a name; its picture comes with files.

use actix_web::web::{Data, Path};
use actix_web::{delete, get, put};
use commands::Commands;
use domain::WorkspaceCommand;
use domain::text::EmojiName;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Done;
use super::headers::{CommandHeaders, QueryHeaders};
use super::members::PageQuery;
use super::path::{EmojiPath, WorkspacePath};
use crate::extract::{Command, Cursor, Page, Query, QueryAnswer, Reading, page_limit};
use crate::problem::Problem;

/// An emoji of the workspace's own.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkspaceEmoji {
    /// Its name, without colons.
    #[schema(value_type = String, example = "party_parrot")]
    name: EmojiName,
}

/// List the emojis of the workspace's own, by name
///
/// Active members may ask. The emojis of Unicode are not in the list: every message can have them as reactions.
#[utoipa::path(tag = "emojis", params(WorkspacePath, PageQuery, QueryHeaders),
    responses((status = 200, description = "The emojis.", body = Page<WorkspaceEmoji>)))]
#[get("/workspaces/{workspace_id}/emojis")]
pub async fn list_emojis(
    path: Path<WorkspacePath>,
    query: Query<PageQuery>,
    reading: Reading,
) -> Result<QueryAnswer<Page<WorkspaceEmoji>>, Problem> {
    let (after, limit) = (Cursor::<EmojiName>::read("after", query.after.as_deref())?, page_limit(query.limit)?);
    let emojis = reading.access.emojis(path.workspace_id).await?;
    let all = emojis.into_iter().map(|name| WorkspaceEmoji { name }).collect();
    Ok(reading.answer(Page::among(all, after, limit, |emoji| emoji.name.clone())))
}

/// Add an emoji to the workspace
///
/// Requires the permission `emoji.manage`. Members can react with its name. If the workspace has it already, nothing
/// changes. A name of an emoji of Unicode cannot be taken.
#[utoipa::path(tag = "emojis", params(EmojiPath, CommandHeaders), responses((status = 204, description = "The workspace has the emoji.")))]
#[put("/workspaces/{workspace_id}/emojis/{emoji_name}")]
pub async fn add_emoji(path: Path<EmojiPath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    let add = WorkspaceCommand::AddEmoji { name: EmojiName::parse(&path.emoji_name)? };
    Ok(Done::no_content(commands.workspace(&command.asked(), path.workspace_id, add).await?))
}

/// Remove an emoji from the workspace
///
/// Requires the permission `emoji.manage`. Reactions with it stay, and are shown by its name.
#[utoipa::path(tag = "emojis", params(EmojiPath, CommandHeaders), responses((status = 204, description = "The emoji is removed.")))]
#[delete("/workspaces/{workspace_id}/emojis/{emoji_name}")]
pub async fn remove_emoji(path: Path<EmojiPath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    let remove = WorkspaceCommand::RemoveEmoji { name: EmojiName::parse(&path.emoji_name)? };
    Ok(Done::no_content(commands.workspace(&command.asked(), path.workspace_id, remove).await?))
}
