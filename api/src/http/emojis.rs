//! The emojis that people react with: those of Unicode, and those that a workspace has beside them. For now each of the
//! latter is a name; its picture comes with files.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get, put};
use commands::Commands;
use domain::WorkspaceCommand;
use domain::text::{Emoji, EmojiName, UnicodeEmoji};
use serde::Serialize;
use state::limits::Class;
use utoipa::ToSchema;

use super::answer::Done;
use super::headers::{CommandHeaders, IfNoneMatchHeader, QueryHeaders};
use super::members::PageQuery;
use super::path::{EmojiPath, WorkspacePath};
use crate::extract::{Command, Cursor, Page, Query, QueryAnswer, Reading, condition_tag, count_visitor, is_known, page_limit};
use crate::problem::Problem;

/// An emoji of Unicode.
#[derive(Debug, Serialize, ToSchema)]
pub struct KnownEmoji {
    /// The emoji, in the form in which messages show it.
    #[schema(example = "🎉")]
    emoji: &'static str,
    /// Its name in Unicode.
    #[schema(example = "party popper")]
    name: &'static str,
    /// Its group in Unicode.
    #[schema(example = "activities")]
    group: &'static str,
    /// Its short names, without colons. The first is the usual one. An emoji may have none.
    short_names: Vec<&'static str>,
    /// Whether it can have a skin tone: `:wave::skin-tone-3:`, with a number from 2 to 6.
    has_skin_tones: bool,
}

impl From<UnicodeEmoji> for KnownEmoji {
    fn from(known: UnicodeEmoji) -> Self {
        let UnicodeEmoji { emoji, name, group, short_names, has_skin_tones } = known;
        Self { emoji, name, group, short_names, has_skin_tones }
    }
}

/// The list of all emojis as JSON, and its tag. It changes with a release only.
static KNOWN: LazyLock<(String, String)> = LazyLock::new(|| {
    let page = Page::<KnownEmoji>::whole(Emoji::of_unicode().map(KnownEmoji::from).collect());
    // Texts can always be written as JSON.
    let json = serde_json::to_string(&page).unwrap_or_default();
    let tag = condition_tag(0, json.as_bytes());
    (json, tag)
});

/// List the emojis of Unicode that a reaction can be, in the order of Unicode
///
/// The list changes with a release of the server only. Clients keep it, and ask with `If-None-Match` whether it is still
/// the same. The emojis of a workspace have a list of their own.
#[utoipa::path(tag = "emojis", params(IfNoneMatchHeader), security(()), responses(
    (status = 200, description = "The emojis.", body = Page<KnownEmoji>, headers(("ETag", description = "For `If-None-Match`."))),
    (status = 304, description = "The list is the one that `If-None-Match` names.")))]
#[get("/emojis")]
pub async fn list_unicode_emojis(request: HttpRequest) -> Result<HttpResponse, Problem> {
    count_visitor(&request, Class::Read).await?;
    let (json, tag) = &*KNOWN;
    let is_known = is_known(&request, tag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((CACHE_CONTROL, "public, max-age=3600")).insert_header((ETAG, tag.as_str()));
    Ok(if is_known { response.finish() } else { response.insert_header((CONTENT_TYPE, "application/json")).body(json.as_str()) })
}

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
