//! `workspace_members`: the members of each workspace, and their roles.

use chrono::{DateTime, Utc};
use domain::WorkspaceEvent;
use domain::ids::{MemberId, UserId, WorkspaceId};
use domain::permission::{Overrides, Role};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{PgConnection, query_file_as};
use utoipa::ToSchema;
use uuid::Uuid;

use super::rows::{Missing, Rows, json_row, row};
use super::stamp::EventStamp;
use crate::read_models::{QueryError, ReadModels, rows};

/// A member of a workspace, with the user's names.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MemberRow {
    /// The membership. It stays the same when the user leaves and joins again.
    pub member_id: Uuid,
    /// The workspace.
    pub workspace_id: Uuid,
    /// The user.
    pub user_id: Uuid,
    /// The name that others mention. Absent if the user was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The display name. Absent if the user was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The address of the user's picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// Whether the user was erased. Then nothing else is known about them.
    pub is_erased: bool,
    /// Whether the user is a bot.
    pub is_bot: bool,
    /// Owner, admin, member or guest.
    pub role: String,
    /// Job title in this workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Department.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// `active` or `deactivated`.
    pub membership: String,
    /// The user that invited the member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invited_by: Option<Uuid>,
    /// Permissions that differ from those of the role.
    pub permissions: Value,
    /// When the user joined.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub joined_at: DateTime<Utc>,
    /// When the row last changed.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub updated_at: DateTime<Utc>,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct MemberRecord {
    member_id: Uuid,
    workspace_id: Uuid,
    user_id: Uuid,
    role: String,
    title: Option<String>,
    department: Option<String>,
    status: String,
    invited_by: Option<Uuid>,
    permissions: Value,
    last_seen_at: Option<DateTime<Utc>>,
    timezone: Option<String>,
    joined_at: DateTime<Utc>,
    deactivated_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
    position: i64,
}

/// The users of the member rows that an event is about.
pub(super) fn affected(workspace_id: Uuid, event: &WorkspaceEvent) -> Vec<Uuid> {
    let member = |user_id: &UserId| MemberId::of(WorkspaceId(workspace_id), *user_id).0;
    match event {
        WorkspaceEvent::Created { .. }
        | WorkspaceEvent::DetailsChanged(_)
        | WorkspaceEvent::DomainChanged { .. }
        | WorkspaceEvent::SettingsChanged(_)
        | WorkspaceEvent::PlanChanged { .. }
        | WorkspaceEvent::MemberInvited { .. }
        | WorkspaceEvent::InvitationRevoked { .. }
        | WorkspaceEvent::HoldPlaced { .. }
        | WorkspaceEvent::HoldReleased { .. }
        | WorkspaceEvent::EmojiAdded { .. }
        | WorkspaceEvent::EmojiRemoved { .. } => Vec::new(),
        WorkspaceEvent::MemberJoined { user_id, .. }
        | WorkspaceEvent::MemberRoleChanged { user_id, .. }
        | WorkspaceEvent::MemberDetailsChanged { user_id, .. }
        | WorkspaceEvent::MemberPermissionsChanged { user_id, .. }
        | WorkspaceEvent::MemberDeactivated { user_id }
        | WorkspaceEvent::MemberReactivated { user_id } => vec![member(user_id)],
        WorkspaceEvent::HandedOver { from, to } => vec![member(from), member(to)],
    }
}

/// Applies an event to members.
pub(super) fn apply(
    members: &mut Rows<MemberRecord>,
    workspace_id: Uuid,
    stamp: EventStamp,
    event: &WorkspaceEvent,
) -> Result<(), Missing> {
    let member = |user_id: &UserId| MemberId::of(WorkspaceId(workspace_id), *user_id).0;
    match event {
        WorkspaceEvent::MemberJoined { user_id, role, invitation_id: _, invited_by } => {
            members.insert(MemberRecord::joined(workspace_id, *user_id, *role, *invited_by, stamp));
            Ok(())
        }
        WorkspaceEvent::MemberRoleChanged { user_id, role } => {
            members.change(member(user_id), stamp, |row| row.role = role.as_str().into())
        }
        WorkspaceEvent::MemberDetailsChanged { user_id, title, department } => members.change(member(user_id), stamp, |row| {
            row.title = title.as_ref().map(ToString::to_string);
            row.department = department.as_ref().map(ToString::to_string);
        }),
        WorkspaceEvent::MemberPermissionsChanged { user_id, permissions } => {
            members.change(member(user_id), stamp, |row| row.permissions = as_json(permissions))
        }
        WorkspaceEvent::MemberDeactivated { user_id } => members.change(member(user_id), stamp, |row| {
            row.status = "deactivated".into();
            row.deactivated_at = Some(stamp.at);
        }),
        WorkspaceEvent::MemberReactivated { user_id } => members.change(member(user_id), stamp, |row| {
            row.status = "active".into();
            row.deactivated_at = None;
        }),
        WorkspaceEvent::HandedOver { from, to } => {
            // Both rows change, or neither.
            members.get(member(from)).ok_or(Missing)?;
            members.change(member(to), stamp, |row| row.role = Role::Owner.as_str().into())?;
            members.change(member(from), stamp, |row| row.role = Role::Admin.as_str().into())
        }
        WorkspaceEvent::Created { .. }
        | WorkspaceEvent::DetailsChanged(_)
        | WorkspaceEvent::DomainChanged { .. }
        | WorkspaceEvent::SettingsChanged(_)
        | WorkspaceEvent::PlanChanged { .. }
        | WorkspaceEvent::MemberInvited { .. }
        | WorkspaceEvent::InvitationRevoked { .. }
        | WorkspaceEvent::HoldPlaced { .. }
        | WorkspaceEvent::HoldReleased { .. }
        | WorkspaceEvent::EmojiAdded { .. }
        | WorkspaceEvent::EmojiRemoved { .. } => Ok(()),
    }
}

/// Reads members.
pub(super) async fn load(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<MemberRecord>> {
    query_file_as!(MemberRecord, "src/relational/sql/load_workspace_members.sql", ids).fetch_all(connection).await
}

fn as_json(overrides: &Overrides) -> Value {
    overrides.iter().map(|(permission, allowed)| (permission.as_str().to_owned(), json!(allowed))).collect()
}

row!(MemberRecord, "workspace_members", member_id, updated_at);

json_row! {
    MemberRecord, "workspace_members", "member_id",
    "workspace_id", "user_id", "role", "title", "department", "status", "invited_by", "permissions", "last_seen_at",
    "timezone", "joined_at", "deactivated_at", "updated_at", "position"
}

impl MemberRecord {
    fn joined(workspace_id: Uuid, user_id: UserId, role: Role, invited_by: Option<UserId>, stamp: EventStamp) -> Self {
        Self {
            member_id: MemberId::of(WorkspaceId(workspace_id), user_id).0,
            workspace_id,
            user_id: user_id.0,
            role: role.as_str().into(),
            title: None,
            department: None,
            status: "active".into(),
            invited_by: invited_by.map(|id| id.0),
            permissions: json!({}),
            last_seen_at: None,
            timezone: None,
            joined_at: stamp.at,
            deactivated_at: None,
            updated_at: stamp.at,
            position: stamp.position,
        }
    }
}

impl ReadModels {
    /// Returns a workspace's members, in order of their identifiers, with deactivated ones, and without people who were
    /// erased. `after` is the last user of the page before.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn members(&self, workspace_id: WorkspaceId, after: Option<UserId>, limit: u16) -> Result<Vec<MemberRow>, QueryError> {
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let file = query_file_as!(MemberRow, "src/relational/sql/members.sql", workspace_id.0, after, rows(limit));
        Ok(file.fetch_all(&self.pool).await?)
    }

    /// Returns a member, deactivated or not.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn member(&self, workspace_id: WorkspaceId, user_id: UserId) -> Result<Option<MemberRow>, QueryError> {
        Ok(self.members_among(workspace_id, &[user_id]).await?.pop())
    }

    /// Returns those of the users who are members, deactivated or not, in order of their identifiers.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn members_among(&self, workspace_id: WorkspaceId, user_ids: &[UserId]) -> Result<Vec<MemberRow>, QueryError> {
        let ids = user_ids.iter().map(|id| id.0).collect::<Vec<_>>();
        let file = query_file_as!(MemberRow, "src/relational/sql/member.sql", workspace_id.0, &ids);
        Ok(file.fetch_all(&self.pool).await?)
    }
}
