//! The details of a channel: its name, topic, purpose, description and settings.

use actix_web::put;
use actix_web::web::Path;
use domain::ChannelCommand;
use domain::channel::ChannelSettings;
use domain::retention::RetentionPolicy;
use domain::text::{ChannelDisplayName, ChannelName, Description, InvalidText, Purpose, Topic};
use projections::relational::channels::ChannelRow;
use serde::Deserialize;
use utoipa::ToSchema;

use super::answer::{Done, RowFollows};
use super::command_rows::CommandRows;
use super::headers::{CommandHeaders, IfMatchHeader};
use super::path::ChannelPath;
use super::schema;
use crate::extract::{Body, Checks, Command};
use crate::problem::Problem;

/// The new name of a channel.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameChannel {
    /// Unique in the workspace.
    #[schema(min_length = 1, max_length = 100, example = "random")]
    name: String,
    /// The name that is shown. If absent, it is the name itself.
    #[schema(min_length = 1, max_length = 200)]
    display_name: Option<String>,
}

/// Rename a channel
///
/// The old name is free at once. Admins of the channel may do this, and members with the permission `channel.manage`.
/// Conversations have no name.
#[utoipa::path(tag = "channels", request_body = RenameChannel, params(ChannelPath, CommandHeaders, IfMatchHeader),
    responses((status = 200, description = "The channel with its new name.", body = ChannelRow), RowFollows))]
#[put("/channels/{channel_id}/name")]
pub async fn rename_channel(
    path: Path<ChannelPath>,
    command: Command<Body<RenameChannel>>,
    rows: CommandRows,
) -> Result<Done<ChannelRow>, Problem> {
    let input = &command.body.input;
    let mut checks = Checks::default();
    let name = checks.note(ChannelName::parse(&input.name));
    let display_name = checks.note(input.display_name.as_deref().map(ChannelDisplayName::parse).transpose());
    let (Some(name), Some(display_name)) = (name, display_name) else { return Err(checks.refusal()) };
    let rename = ChannelCommand::Rename { name, display_name };
    rows.change_channel(&command, path.channel_id, rename).await
}

/// The topic of a channel.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeTopic {
    /// The topic. If absent, the topic is cleared.
    #[schema(max_length = 500, example = "The release on Friday")]
    topic: Option<String>,
}

/// Set or clear a channel's topic
///
/// An absent topic clears it. Members of the channel with the permission `channel.describe` may do this, and admins of
/// the channel. Conversations have no topic.
#[utoipa::path(tag = "channels", request_body = ChangeTopic, params(ChannelPath, CommandHeaders, IfMatchHeader),
    responses((status = 200, description = "The channel with its new topic.", body = ChannelRow), RowFollows))]
#[put("/channels/{channel_id}/topic")]
pub async fn change_topic(
    path: Path<ChannelPath>,
    command: Command<Body<ChangeTopic>>,
    rows: CommandRows,
) -> Result<Done<ChannelRow>, Problem> {
    let topic = parse_or_none(command.body.input.topic.as_deref(), Topic::parse)?;
    rows.change_channel(&command, path.channel_id, ChannelCommand::ChangeTopic { topic }).await
}

/// The purpose of a channel.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePurpose {
    /// The purpose. If absent, the purpose is cleared.
    #[schema(max_length = 10000)]
    purpose: Option<String>,
}

/// Set or clear a channel's purpose
///
/// An absent purpose clears it. Members of the channel with the permission `channel.describe` may do this, and admins
/// of the channel. Conversations have no purpose.
#[utoipa::path(tag = "channels", request_body = ChangePurpose, params(ChannelPath, CommandHeaders, IfMatchHeader),
    responses((status = 200, description = "The channel with its new purpose.", body = ChannelRow), RowFollows))]
#[put("/channels/{channel_id}/purpose")]
pub async fn change_purpose(
    path: Path<ChannelPath>,
    command: Command<Body<ChangePurpose>>,
    rows: CommandRows,
) -> Result<Done<ChannelRow>, Problem> {
    let purpose = parse_or_none(command.body.input.purpose.as_deref(), Purpose::parse)?;
    rows.change_channel(&command, path.channel_id, ChannelCommand::ChangePurpose { purpose }).await
}

/// The description of a channel.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeDescription {
    /// The description. If absent, the description is cleared.
    #[schema(max_length = 10000)]
    description: Option<String>,
}

/// Set or clear a channel's description
///
/// An absent description clears it. Members of the channel with the permission `channel.describe` may do this, and
/// admins of the channel. Conversations have no description.
#[utoipa::path(tag = "channels", request_body = ChangeDescription, params(ChannelPath, CommandHeaders, IfMatchHeader),
    responses((status = 200, description = "The channel with its new description.", body = ChannelRow), RowFollows))]
#[put("/channels/{channel_id}/description")]
pub async fn change_description(
    path: Path<ChannelPath>,
    command: Command<Body<ChangeDescription>>,
    rows: CommandRows,
) -> Result<Done<ChannelRow>, Problem> {
    let description = parse_or_none(command.body.input.description.as_deref(), Description::parse)?;
    rows.change_channel(&command, path.channel_id, ChannelCommand::ChangeDescription { description }).await
}

/// Parses a text. Clients send an empty text when their user clears the field.
fn parse_or_none<T>(text: Option<&str>, parse: fn(&str) -> Result<T, InvalidText>) -> Result<Option<T>, InvalidText> {
    text.filter(|text| !text.trim().is_empty()).map(parse).transpose()
}

/// The settings of a channel.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeChannelSettings {
    /// Whether messages may have replies in threads.
    allow_threads: bool,
    /// Whether files may be uploaded.
    allow_file_upload: bool,
    /// Whether people outside the workspace may get access.
    allow_external_sharing: bool,
    /// How long messages are kept. If absent, the workspace's policy applies.
    #[schema(value_type = Option<schema::RetentionPolicy>)]
    retention_policy: Option<RetentionPolicy>,
}

/// Replace a channel's settings
///
/// Send all settings: an absent retention policy means that the workspace's policy applies. Admins of the channel may
/// do this, and members with the permission `channel.manage`. A changed retention policy also needs `retention.manage`.
#[utoipa::path(tag = "channels", request_body = ChangeChannelSettings, params(ChannelPath, CommandHeaders, IfMatchHeader),
    responses((status = 200, description = "The channel with its new settings.", body = ChannelRow), RowFollows))]
#[put("/channels/{channel_id}/settings")]
pub async fn change_channel_settings(
    path: Path<ChannelPath>,
    command: Command<Body<ChangeChannelSettings>>,
    rows: CommandRows,
) -> Result<Done<ChannelRow>, Problem> {
    let input = &command.body.input;
    let settings = ChannelSettings {
        allow_threads: input.allow_threads,
        allow_file_upload: input.allow_file_upload,
        allow_external_sharing: input.allow_external_sharing,
        retention_policy: input.retention_policy,
    };
    rows.change_channel(&command, path.channel_id, ChannelCommand::ChangeSettings(settings)).await
}
