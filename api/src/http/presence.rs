//! Presence. `state/src/presence/` keeps what the devices report. This file checks the callers' access, and adds the
//! status that people set themselves.

use std::collections::HashMap;

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, put};
use chrono::{DateTime, Utc};
use commands::Commands;
use domain::ids::{UserId, WorkspaceId};
use projections::ReadModels;
use projections::relational::users::UserRow;
use serde::{Deserialize, Serialize};
use shapes::CustomStatus;
use state::presence::{Device, HOLDS_FOR, PEOPLE_MAX, Presences, Status, most_present};
use stores::redis::RedisDown;
use utoipa::{IntoParams, ToSchema};

use super::headers::QueryHeaders;
use super::path::{MemberPath, WorkspacePath};
use super::sight::sight_of;
use crate::extract::{Actor, Body, Page, Query, QueryAnswer, Reading, reject_unless_line};
use crate::problem::Problem;
use crate::signals::Signals;

/// The most characters of a device's kind.
const DEVICE_TYPE_CHARS_MAX: usize = 50;

/// The presence that a device reports for its user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnnouncePresence {
    /// The presence of the person at the device.
    presence: Status,
    /// The kind of device, as the client names it.
    #[schema(min_length = 1, max_length = 50, example = "desktop")]
    device_type: Option<String>,
}

/// Announce that the caller is present on this session's device
///
/// The announcement expires after five minutes. Clients send it every one or two minutes. Of several devices the most
/// present one counts. The log does not keep it.
#[utoipa::path(tag = "presence", request_body = AnnouncePresence, params(WorkspacePath),
    responses((status = 204, description = "The presence is announced.")))]
#[put("/workspaces/{workspace_id}/presence")]
pub async fn announce_presence(
    path: Path<WorkspacePath>,
    actor: Actor,
    body: Body<AnnouncePresence>,
    commands: Data<Commands>,
    presences: Data<Presences>,
    signals: Data<Signals>,
) -> Result<HttpResponse, Problem> {
    let AnnouncePresence { presence, device_type } = body.input;
    let device_type = device_type.as_deref().unwrap_or("unknown");
    reject_unless_line("device_type", device_type, DEVICE_TYPE_CHARS_MAX)?;
    commands.read_access(actor.user_id).await?.active_member(path.workspace_id).await?;
    let device = (actor.session_id.into(), HOLDS_FOR);
    let announced = presences.record_heartbeat((actor.user_id, path.workspace_id), device, presence, device_type).await;
    announced.map_err(Problem::presence_unavailable)?;
    signals.presence_changed(actor.user_id);
    Ok(HttpResponse::NoContent().finish())
}

/// End the caller's presence on this session's device
///
/// Signing out does the same. Other devices of the caller stay present.
#[utoipa::path(tag = "presence", params(WorkspacePath), responses((status = 204, description = "The presence has ended.")))]
#[delete("/workspaces/{workspace_id}/presence")]
pub async fn end_presence(
    path: Path<WorkspacePath>,
    actor: Actor,
    commands: Data<Commands>,
    presences: Data<Presences>,
    signals: Data<Signals>,
) -> Result<HttpResponse, Problem> {
    commands.read_access(actor.user_id).await?.active_member(path.workspace_id).await?;
    let forgotten = presences.forget(actor.user_id, path.workspace_id, actor.session_id.into()).await;
    forgotten.map_err(Problem::presence_unavailable)?;
    signals.presence_changed(actor.user_id);
    Ok(HttpResponse::NoContent().finish())
}

/// The presence of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// On at least one device, with the status "do not disturb".
    Dnd,
    /// On at least one device.
    Online,
    /// On devices that are all idle.
    Away,
    /// On no device.
    Offline,
    /// The server cannot know now.
    Unknown,
}

impl From<Status> for Presence {
    fn from(status: Status) -> Self {
        match status {
            Status::Dnd => Self::Dnd,
            Status::Online => Self::Online,
            Status::Away => Self::Away,
        }
    }
}

impl Presence {
    /// The presence of a person at these devices. `None` if it cannot be read.
    pub(super) fn at(devices: Option<&[Device]>) -> Self {
        let absent = if devices.is_some() { Self::Offline } else { Self::Unknown };
        devices.and_then(most_present).map_or(absent, |(device, _)| device.status.into())
    }
}

/// A workspace member's presence, with the status that the member has set.
#[derive(Serialize, ToSchema)]
pub struct PresenceShown {
    /// The user.
    #[schema(value_type = Uuid)]
    user_id: UserId,
    /// The presence. If the user has several devices, that of the most present one.
    presence: Presence,
    /// The kind of that device.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_type: Option<String>,
    /// The time at which one of their devices last sent a heartbeat, or a connection was last found open. Absent if
    /// none is present.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    last_seen: Option<DateTime<Utc>>,
    /// The user's custom status. Absent if it has ended, or there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_status: Option<CustomStatus>,
    /// The time zone.
    timezone: String,
}

impl PresenceShown {
    /// `devices` is `None` if the presence cannot be read.
    fn of(user: UserRow, devices: Option<&[Device]>) -> Self {
        let first = devices.and_then(most_present);
        Self {
            user_id: user.user_id.into(),
            presence: Presence::at(devices),
            device_type: first.map(|(device, _)| device.device_type.clone()),
            last_seen: first.map(|(_, last_seen)| last_seen),
            custom_status: user.custom_status(),
            timezone: user.timezone,
        }
    }
}

/// The users whose presence to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PresenceQuery {
    /// The users: `users=a,b` or `users=a&users=b`. Users who are not active members are not listed.
    #[param(value_type = Vec<Uuid>, style = Form, explode = false, min_items = 1, max_items = 100)]
    users: Vec<UserId>,
}

impl PresenceQuery {
    fn users(&self) -> Result<&[UserId], Problem> {
        if self.users.len() <= PEOPLE_MAX {
            return Ok(&self.users);
        }
        Err(Problem::malformed("request.query_invalid", Some("users".into()), format!("users must have at most {PEOPLE_MAX} identifiers")))
    }
}

/// List the presence of workspace members
///
/// Active members may ask. The caller names the people. An open connection (`GET /v1/live`) is a device, and so is a
/// session that has sent a heartbeat in the last five minutes. People without either are `offline`: half a minute after
/// their last connection has closed, or 90 seconds after its server has died. If the server cannot know it now, the
/// presence is `unknown`.
#[utoipa::path(tag = "presence", params(WorkspacePath, PresenceQuery, QueryHeaders),
    responses((status = 200, description = "The presence of the members.", body = Page<PresenceShown>)))]
#[get("/workspaces/{workspace_id}/presence")]
pub async fn list_presence(
    path: Path<WorkspacePath>,
    query: Query<PresenceQuery>,
    reading: Reading,
    presences: Data<Presences>,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<Page<PresenceShown>>, Problem> {
    let mut members = reading.access.active_members_among(path.workspace_id, query.users()?).await?;
    let sight = sight_of(&read_models, &reading.access, path.workspace_id).await?;
    members.retain(|user_id| sight.sees(*user_id));
    Ok(reading.answer(Page::whole(presence_of(&presences, &read_models, path.workspace_id, &members).await?)))
}

/// Get a workspace member's presence
///
/// Active members may ask. An open connection (`GET /v1/live`) is a device, and so is a session that has sent a
/// heartbeat in the last five minutes. A member without either is `offline`: half a minute after the last connection
/// has closed, or 90 seconds after its server has died. If the server cannot know it now, the presence is `unknown`.
#[utoipa::path(tag = "presence", params(MemberPath, QueryHeaders), responses((status = 200, description = "The member.", body = PresenceShown)))]
#[get("/workspaces/{workspace_id}/members/{user_id}/presence")]
pub async fn get_presence(
    path: Path<MemberPath>,
    reading: Reading,
    presences: Data<Presences>,
    read_models: Data<ReadModels>,
) -> Result<QueryAnswer<PresenceShown>, Problem> {
    let mut members = reading.access.active_members_among(path.workspace_id, &[path.user_id]).await?;
    let sight = sight_of(&read_models, &reading.access, path.workspace_id).await?;
    members.retain(|user_id| sight.sees(*user_id));
    let shown = presence_of(&presences, &read_models, path.workspace_id, &members).await?.pop();
    let missing = || Problem::not_found("workspace.member_not_found", "this user is not an active member of the workspace");
    Ok(reading.answer(shown.ok_or_else(missing)?))
}

async fn presence_of(
    presences: &Presences,
    read_models: &ReadModels,
    workspace_id: WorkspaceId,
    members: &[UserId],
) -> Result<Vec<PresenceShown>, Problem> {
    let (devices, users) = tokio::join!(presences.of(workspace_id, members), read_models.users(members));
    let devices = match devices {
        Ok(devices) => Some(members.iter().copied().zip(devices).collect::<HashMap<_, _>>()),
        Err(RedisDown) => None,
    };
    let of = |user: &UserRow| devices.as_ref().map(|devices| devices.get(&user.user_id.into()).map_or(&[][..], Vec::as_slice));
    Ok(users?.into_iter().map(|user| (of(&user), user)).map(|(devices, user)| PresenceShown::of(user, devices)).collect())
}
