//! `workspaces`: the name, the description and the settings of each workspace.

use chrono::{DateTime, Utc};
use domain::WorkspaceEvent;
use domain::ids::{UserId, WorkspaceId};
use domain::workspace::{Details, Plan, WorkspaceSettings};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{PgConnection, query_file_as, query_scalar};
use utoipa::ToSchema;
use uuid::Uuid;

use super::rows::{Missing, Rows, json_row, row};
use super::stamp::EventStamp;
use crate::read_models::{QueryError, ReadModels, rows};

/// A workspace, as of now.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WorkspaceRow {
    /// The workspace.
    pub workspace_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The address of its picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// The settings.
    #[serde(serialize_with = "domain::document::serialize")]
    pub settings: Value,
    /// `free`, `pro` or `enterprise`.
    pub plan_type: String,
    /// The most active members that it may have.
    pub max_members: i32,
    /// The address for bills.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing_email: Option<String>,
    /// `active`, as long as there is no billing.
    pub subscription_status: String,
    /// Whether members sign in through an identity provider.
    pub sso_enabled: bool,
    /// The settings of the identity provider.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::document::serialize_option")]
    pub sso_config: Option<Value>,
    /// Whether every member needs a second factor.
    pub require_2fa: bool,
    /// Its #general channel.
    pub general_channel_id: Uuid,
    /// When it was created.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub created_at: DateTime<Utc>,
    /// When the row last changed.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub updated_at: DateTime<Utc>,
    /// The last event that was applied to the row.
    pub position: i64,
}

/// Applies an event to a workspace's own row. Its members and invitations have tables of their own.
pub(super) fn apply(workspaces: &mut Rows<WorkspaceRow>, id: Uuid, stamp: EventStamp, event: &WorkspaceEvent) -> Result<(), Missing> {
    match event {
        WorkspaceEvent::Created { details, domain, general_channel_id, max_members } => {
            let mut row = WorkspaceRow::new(id, stamp, general_channel_id.0);
            row.set_details(details);
            row.domain = domain.as_ref().map(ToString::to_string);
            row.max_members = i32::try_from(*max_members).unwrap_or(i32::MAX);
            workspaces.insert(row);
            Ok(())
        }
        WorkspaceEvent::DetailsChanged(details) => workspaces.change(id, stamp, |row| row.set_details(details)),
        WorkspaceEvent::DomainChanged { domain } => {
            workspaces.change(id, stamp, |row| row.domain = domain.as_ref().map(ToString::to_string))
        }
        WorkspaceEvent::SettingsChanged(settings) => workspaces.change(id, stamp, |row| row.settings = as_json(settings)),
        WorkspaceEvent::PlanChanged { plan } => workspaces.change(id, stamp, |row| row.plan_type = plan.as_str().into()),
        WorkspaceEvent::MemberInvited { .. }
        | WorkspaceEvent::InvitationRevoked { .. }
        | WorkspaceEvent::MemberJoined { .. }
        | WorkspaceEvent::MemberRoleChanged { .. }
        | WorkspaceEvent::MemberDetailsChanged { .. }
        | WorkspaceEvent::MemberPermissionsChanged { .. }
        | WorkspaceEvent::MemberDeactivated { .. }
        | WorkspaceEvent::MemberReactivated { .. }
        | WorkspaceEvent::HandedOver { .. }
        | WorkspaceEvent::HoldPlaced { .. }
        | WorkspaceEvent::HoldReleased { .. }
        | WorkspaceEvent::EmojiAdded { .. }
        | WorkspaceEvent::EmojiRemoved { .. } => Ok(()),
    }
}

/// Reads workspaces.
pub(super) async fn load(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<WorkspaceRow>> {
    query_file_as!(WorkspaceRow, "src/relational/sql/workspaces.sql", ids).fetch_all(connection).await
}

fn as_json(settings: &WorkspaceSettings) -> Value {
    let WorkspaceSettings { retention_policy, upload_max_bytes, edit_window_minutes } = settings;
    let said = [
        ("retention_policy", retention_policy.map(|policy| json!(policy))),
        ("upload_max_bytes", upload_max_bytes.map(|bytes| json!(bytes))),
        ("edit_window_minutes", edit_window_minutes.map(|minutes| json!(minutes))),
    ];
    said.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

row!(WorkspaceRow, "workspaces", workspace_id, updated_at);

json_row! {
    WorkspaceRow, "workspaces", "workspace_id",
    "name", "domain", "description", "avatar_url", "settings", "plan_type", "max_members", "billing_email",
    "subscription_status", "sso_enabled", "sso_config", "require_2fa", "general_channel_id", "created_at",
    "updated_at", "position"
}

impl WorkspaceRow {
    fn new(workspace_id: Uuid, stamp: EventStamp, general_channel_id: Uuid) -> Self {
        Self {
            workspace_id,
            name: String::new(),
            domain: None,
            description: None,
            avatar_url: None,
            settings: json!({}),
            plan_type: Plan::default().as_str().into(),
            max_members: 0,
            billing_email: None,
            subscription_status: "active".into(),
            sso_enabled: false,
            sso_config: None,
            require_2fa: false,
            general_channel_id,
            created_at: stamp.at,
            updated_at: stamp.at,
            position: stamp.position,
        }
    }

    fn set_details(&mut self, details: &Details) {
        self.name = details.name.to_string();
        self.description = details.description.as_ref().map(ToString::to_string);
        self.avatar_url = details.avatar_url.as_ref().map(ToString::to_string);
    }
}

impl ReadModels {
    /// Returns a workspace.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn workspace(&self, workspace_id: WorkspaceId) -> Result<Option<WorkspaceRow>, QueryError> {
        let ids = [workspace_id.0];
        let found = query_file_as!(WorkspaceRow, "src/relational/sql/workspaces.sql", &ids).fetch_optional(&self.pool).await?;
        Ok(found)
    }

    /// Returns the workspaces that a user is an active member of, by name.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn workspaces_of(&self, user_id: UserId) -> Result<Vec<WorkspaceRow>, QueryError> {
        let found = query_file_as!(WorkspaceRow, "src/relational/sql/workspaces_of.sql", user_id.0).fetch_all(&self.pool).await?;
        Ok(found)
    }

    /// Returns a page of the workspaces that a user is an active member of, by name.
    ///
    /// `after` is the name and the identifier of the last workspace of the previous page.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn page_of_workspaces(
        &self,
        user_id: UserId,
        after: Option<(String, Uuid)>,
        limit: u16,
    ) -> Result<Vec<WorkspaceRow>, QueryError> {
        let (name, workspace_id) = after.unzip();
        let file = query_file_as!(WorkspaceRow, "src/relational/sql/page_of_workspaces.sql", user_id.0, name, workspace_id, rows(limit));
        Ok(file.fetch_all(&self.pool).await?)
    }

    /// Returns the plans of the workspaces that a user is an active member of, each once.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn plans_of(&self, user_id: UserId) -> Result<Vec<String>, QueryError> {
        let found = query_scalar!(
            "SELECT DISTINCT w.plan_type FROM workspaces w JOIN workspace_members m USING (workspace_id)
             WHERE m.user_id = $1 AND m.status = 'active'",
            user_id.0,
        );
        Ok(found.fetch_all(&self.pool).await?)
    }
}
