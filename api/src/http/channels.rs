//! Channels and conversations: create, list, adopt and archive them.

use std::collections::BTreeSet;

use actix_web::web::{Data, Path};
use actix_web::{delete, get, post, put};
use commands::{AccessRefusal, CommandError, CommandRefusal, Commands, ReadAccess};
use domain::ChannelCommand;
use domain::channel::{Kind, NewChannel};
use domain::ids::{ChannelId, UserId, WorkspaceId};
use domain::permission::Permission;
use domain::text::{ChannelDisplayName, ChannelName, Description, Purpose, Topic};
use projections::relational::channels::{ChannelFilter, ChannelRow};
use projections::{Progress, ReadModels};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::answer::{Done, RowFollows};
use super::command_rows::{By, CommandRows};
use super::headers::{CommandHeaders, IfNoneMatchHeader, QueryHeaders};
use super::path::{ChannelPath, WorkspacePath};
use super::schema;
use crate::extract::{
    Body, Checks, Command, Cursor, Page, Query, QueryAnswer, Reading, Tagged, catch_up, no_cursor, page_limit, reject_unless_line,
};
use crate::problem::Problem;

/// A new channel or conversation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateChannel {
    /// The people who can find it.
    #[serde(rename = "type")]
    #[schema(value_type = schema::ChannelType)]
    kind: Kind,
    /// Unique in the workspace. Direct and group conversations have none.
    #[schema(min_length = 1, max_length = 100, example = "random")]
    name: Option<String>,
    /// The display name.
    #[schema(min_length = 1, max_length = 200)]
    display_name: Option<String>,
    /// A description.
    #[schema(min_length = 1, max_length = 10000)]
    description: Option<String>,
    /// The topic.
    #[schema(min_length = 1, max_length = 500)]
    topic: Option<String>,
    /// The purpose.
    #[schema(min_length = 1, max_length = 10000)]
    purpose: Option<String>,
    /// The first members besides the caller. For a conversation: the other people.
    #[serde(default)]
    #[schema(value_type = Vec<Uuid>, max_items = 1000)]
    members: BTreeSet<UserId>,
}

/// The most members that a new channel may start with.
const MEMBERS_MAX: usize = 1000;

impl CreateChannel {
    fn parse(&self, workspace_id: WorkspaceId) -> Result<NewChannel, Problem> {
        let mut checks = Checks::default();
        checks.note(self.check_members());
        let parsed = (
            checks.note(self.name.as_deref().map(ChannelName::parse).transpose()),
            checks.note(self.display_name.as_deref().map(ChannelDisplayName::parse).transpose()),
            checks.note(self.description.as_deref().map(Description::parse).transpose()),
            checks.note(self.topic.as_deref().map(Topic::parse).transpose()),
            checks.note(self.purpose.as_deref().map(Purpose::parse).transpose()),
        );
        checks.pass()?;
        let (name, display_name, description, topic, purpose) = parsed;
        Ok(NewChannel {
            workspace_id,
            kind: self.kind,
            name: name.flatten(),
            display_name: display_name.flatten(),
            description: description.flatten(),
            topic: topic.flatten(),
            purpose: purpose.flatten(),
            is_general: false,
            members: self.members.clone(),
        })
    }

    fn check_members(&self) -> Result<(), Problem> {
        if self.members.len() <= MEMBERS_MAX {
            return Ok(());
        }
        Err(Problem::invalid("input.invalid", "members", "members may name at most 1000 users: add the others later"))
    }
}

/// Create a channel, or find or create a conversation
///
/// The caller becomes the channel's admin. There is one conversation for each set of people: if it exists already, the
/// answer names it, even if one of them is no longer in the workspace. The permissions `channel.create_public`,
/// `channel.create_private` and `channel.create_direct` say who may. A guest can start conversations only with people
/// in the guest's channels.
#[utoipa::path(tag = "channels", request_body = CreateChannel, params(WorkspacePath, CommandHeaders),
    responses((status = 201, description = "The channel or conversation is created.", body = ChannelRow),
        (status = 200, description = "These people have a conversation already.", body = ChannelRow), RowFollows))]
#[post("/workspaces/{workspace_id}/channels")]
pub async fn create_channel(
    path: Path<WorkspacePath>,
    command: Command<Body<CreateChannel>>,
    commands: Data<Commands>,
    read_models: Data<ReadModels>,
    progress: Data<Progress>,
    rows: CommandRows,
) -> Result<Done<ChannelRow>, Problem> {
    let new = command.body.input.parse(path.workspace_id)?;
    let (asked, new_id, caller) = (command.asked(), Uuid::now_v7().into(), command.actor.user_id);
    let appended = match commands.create_channel(&asked, new_id, new.clone(), &[]).await {
        // Guests share a channel with each of the others. Nobody else needs this look into the read model.
        Err(CommandError::Refused(CommandRefusal::Access(AccessRefusal::NotAmongTheGuestsPeople))) => {
            catch_up(&commands, &progress).await?;
            let others = new.members.iter().copied().filter(|member| *member != caller).collect::<Vec<_>>();
            let shared = read_models.shared_channels(caller, &others).await?;
            commands.create_channel(&asked, new_id, new, &shared).await?
        }
        outcome => outcome?,
    };
    let channel_id = ChannelId::from(appended.id);
    let (location, row) = (format!("/v1/channels/{channel_id}"), rows.channel(By(caller, &appended), channel_id).await);
    let existed = channel_id != new_id && !appended.replayed;
    Ok(if existed { Done::found(appended, location, row) } else { Done::created(appended, location, row) })
}

/// The channels of a workspace to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The channels and conversations of the caller.
    #[default]
    Mine,
    /// All public channels, whether the caller is in them or not.
    Browse,
    /// The public and private channels without anybody: none of their members is in the workspace. Owners only.
    WithoutMembers,
}

/// The channels to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChannelsQuery {
    /// The channels to list. The default is the caller's channels.
    #[serde(default)]
    #[param(inline, required = false)]
    scope: Scope,
    /// Only the channel of this name, for every scope.
    #[param(min_length = 1, max_length = 100, example = "general")]
    name: Option<String>,
    /// Only archived channels (`true`), or only those that are not (`false`). By default the list has both.
    archived: Option<bool>,
    /// The `next` cursor of the previous page.
    after: Option<String>,
    /// The number of rows, at most 100. The default is 50.
    #[param(minimum = 1)]
    limit: Option<u16>,
}

/// List the caller's channels, the channels that they can browse, or the channel of a given name
///
/// `scope` says which: the channels that the caller is in, the public ones that they can browse, or, for owners, those
/// without members. Conversations are among the caller's channels. With `name`, the answer has at most the channel of
/// that name.
#[utoipa::path(tag = "channels", params(WorkspacePath, ChannelsQuery, QueryHeaders),
    responses((status = 200, description = "The channels.", body = Page<ChannelRow>)))]
#[get("/workspaces/{workspace_id}/channels")]
pub async fn list_channels(
    path: Path<WorkspacePath>,
    query: Query<ChannelsQuery>,
    reading: Reading,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<Page<ChannelRow>>, Problem> {
    reading.access.active_member(path.workspace_id).await?;
    let (after, limit) = (query.after.as_deref(), page_limit(query.limit)?);
    let (caller, of) = (reading.actor, ChannelFilter { workspace_id: path.workspace_id, archived: query.archived });
    let mut page = match (&query.name, query.scope) {
        (Some(name), _) => Page::cut(named(&read_models, caller, of, name).await?, limit, |row| row.channel_id),
        (None, Scope::Mine) => {
            let after = Cursor::<ChannelId>::read("after", after)?;
            Page::cut(read_models.channels_of(caller, of, after, limit + 1).await?, limit, |row| row.channel_id)
        }
        (None, Scope::Browse) => {
            reading.access.may(path.workspace_id, Permission::ChannelBrowse).await?;
            let after = Cursor::<String>::read("after", after)?;
            after
                .as_deref()
                .map_or(Ok(()), |name| reject_unless_line("after", name, ChannelName::CHARS_MAX))
                .map_err(|_| no_cursor("after"))?;
            let rows = read_models.browsable_channels(caller, of, after.as_deref(), limit + 1).await?;
            Page::cut(rows, limit, |row| row.name.clone())
        }
        (None, Scope::WithoutMembers) => {
            reading.access.channels_without_members(path.workspace_id, &[]).await?;
            let after = Cursor::<ChannelId>::read("after", after)?;
            let rows = read_models.channels_without_members(caller, of, after, limit + 1).await?;
            Page::cut(rows, limit, |row| row.channel_id)
        }
    };
    let access = reading.access.recent().await?;
    page.items = match (&query.name, query.scope) {
        (None, Scope::WithoutMembers) => without_members(&access, path.workspace_id, page.items).await?,
        _ => readable(&access, page.items).await?,
    };
    Ok(reading.answer(page))
}

async fn named(read_models: &ReadModels, caller: UserId, of: ChannelFilter, name: &str) -> Result<Vec<ChannelRow>, Problem> {
    // A channel of an earlier release may have a name that no new channel may have.
    let earlier = name.trim();
    let found = match earlier.contains(char::is_control) {
        true => None,
        false => read_models.channel_by_name(of.workspace_id, earlier, caller).await?,
    };
    let found = match (found, ChannelName::parse(name)) {
        (Some(channel), _) => Some(channel),
        (None, name) => read_models.channel_by_name(of.workspace_id, name?.as_str(), caller).await?,
    };
    Ok(found.into_iter().filter(|row| of.archived.is_none_or(|archived| row.is_archived == archived)).collect())
}

/// Removes the channels that the caller may not read. The read model may be behind, so the write side decides.
async fn readable(access: &ReadAccess, mut rows: Vec<ChannelRow>) -> Result<Vec<ChannelRow>, Problem> {
    let ids = rows.iter().map(|row| row.channel_id.into()).collect::<Vec<_>>();
    let readable = access.readable_channels(&ids).await?;
    rows.retain(|row| readable.contains(&row.channel_id.into()));
    Ok(rows)
}

/// Removes the channels that somebody has joined meanwhile, and what only members may know of the others.
async fn without_members(access: &ReadAccess, workspace_id: WorkspaceId, mut rows: Vec<ChannelRow>) -> Result<Vec<ChannelRow>, Problem> {
    let ids = rows.iter().map(|row| row.channel_id.into()).collect::<Vec<_>>();
    let found = access.channels_without_members(workspace_id, &ids).await?;
    rows.retain(|row| found.contains(&row.channel_id.into()));
    rows.iter_mut().for_each(|row| row.last_message_at = None);
    Ok(rows)
}

/// Get a channel that the caller may see
///
/// Members of the channel may ask, and everybody who may browse the workspace's public channels. A channel that the
/// caller may not see answers as one that does not exist.
#[utoipa::path(tag = "channels", params(ChannelPath, QueryHeaders, IfNoneMatchHeader), responses(
    (status = 200, description = "The channel.", body = ChannelRow, headers(("ETag", description = "For `If-Match` and `If-None-Match`."))),
    (status = 304, description = "The row is the one that `If-None-Match` names.")))]
#[get("/channels/{channel_id}")]
pub async fn get_channel(path: Path<ChannelPath>, reading: Reading, read_models: Data<ReadModels>) -> Result<Tagged<ChannelRow>, Problem> {
    reading.access.channel(path.channel_id).await?;
    let channel = reading.row(async || read_models.channel(path.channel_id, reading.actor).await).await?;
    Ok(reading.answer_row(channel.position, channel))
}

/// Adopt a channel that nobody is in
///
/// Owners only. The caller becomes a member of the channel and its admin. The channel may be private or archived.
/// `scope=without_members` of the list shows these channels. An owner may also rename and archive them without adopting
/// them.
#[utoipa::path(tag = "channels", params(ChannelPath, CommandHeaders), responses((status = 200, description = "The channel, whose admin the caller is.", body = ChannelRow), RowFollows))]
#[put("/channels/{channel_id}/adoption")]
pub async fn adopt_channel(path: Path<ChannelPath>, command: Command, rows: CommandRows) -> Result<Done<ChannelRow>, Problem> {
    rows.change_channel(&command, path.channel_id, ChannelCommand::Adopt).await
}

/// Archive a channel
///
/// The channel stays readable, and posts to it are refused. Admins of the channel may do this, and members with the
/// permission `channel.manage`. #general and conversations cannot be archived. If the channel is archived already,
/// nothing changes.
#[utoipa::path(tag = "channels", params(ChannelPath, CommandHeaders), responses((status = 200, description = "The channel, which is archived.", body = ChannelRow), RowFollows))]
#[put("/channels/{channel_id}/archived")]
pub async fn archive_channel(path: Path<ChannelPath>, command: Command, rows: CommandRows) -> Result<Done<ChannelRow>, Problem> {
    rows.change_channel(&command, path.channel_id, ChannelCommand::Archive).await
}

/// Reopen an archived channel
///
/// Members can post in the channel again. Admins of the channel may do this, and members with the permission
/// `channel.manage`. If the channel is not archived, nothing changes.
#[utoipa::path(tag = "channels", params(ChannelPath, CommandHeaders), responses((status = 204, description = "The channel is open again.")))]
#[delete("/channels/{channel_id}/archived")]
pub async fn unarchive_channel(path: Path<ChannelPath>, command: Command, commands: Data<Commands>) -> Result<Done, Problem> {
    Ok(Done::no_content(commands.channel(&command.asked(), path.channel_id, ChannelCommand::Unarchive).await?))
}
