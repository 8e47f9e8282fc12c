//! `channel_members`: the present and former members of each channel.

use chrono::{DateTime, Utc};
use domain::ChannelEvent;
use domain::channel::{MemberRole, NotificationLevel};
use domain::ids::{ChannelId, MembershipId, UserId};
use serde::Serialize;
use sqlx::{PgConnection, query_file_as};
use utoipa::ToSchema;
use uuid::Uuid;

use super::copy::{CopyRow, Tuple};
use super::rows::{JsonRow, Missing, Rows, json_row, row};
use super::stamp::EventStamp;
use crate::read_models::{QueryError, ReadModels, rows};

/// A member of a channel, with the user's names.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ChannelMemberRow {
    /// The membership. It stays the same when the user leaves and joins again.
    pub membership_id: Uuid,
    /// The channel.
    pub channel_id: Uuid,
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
    /// `admin` or `member`.
    pub role: String,
    /// `all`, `mentions` or `none`.
    pub notification_level: String,
    /// When the user last joined.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub joined_at: DateTime<Utc>,
    /// The user that added the member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invited_by: Option<Uuid>,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ChannelMemberRecord {
    membership_id: Uuid,
    channel_id: Uuid,
    workspace_id: Uuid,
    user_id: Uuid,
    role: String,
    notification_level: String,
    joined_at: DateTime<Utc>,
    /// When an import added the member, who joined long before. What was said until then is history, and counts as
    /// read. Empty for a member who joined here.
    history_until: Option<DateTime<Utc>>,
    left_at: Option<DateTime<Utc>>,
    invited_by: Option<Uuid>,
    is_active: bool,
    position: i64,
}

/// The membership that an event is about.
pub(super) fn affected(channel_id: Uuid, event: &ChannelEvent) -> Option<Uuid> {
    match event {
        ChannelEvent::MemberJoined { user_id, .. }
        | ChannelEvent::MemberLeft { user_id }
        | ChannelEvent::MemberRemoved { user_id, .. }
        | ChannelEvent::MemberRoleChanged { user_id, .. }
        | ChannelEvent::NotificationLevelChanged { user_id, .. } => Some(MembershipId::of(ChannelId(channel_id), *user_id).0),
        ChannelEvent::Created(_)
        | ChannelEvent::Renamed { .. }
        | ChannelEvent::TopicChanged { .. }
        | ChannelEvent::PurposeChanged { .. }
        | ChannelEvent::DescriptionChanged { .. }
        | ChannelEvent::SettingsChanged(_)
        | ChannelEvent::Archived { .. }
        | ChannelEvent::Unarchived { .. } => None,
    }
}

/// Applies an event to members of a channel.
pub(super) fn apply(
    members: &mut Rows<ChannelMemberRecord>,
    place: (Uuid, Uuid),
    stamp: EventStamp,
    event: &ChannelEvent,
) -> Result<(), Missing> {
    let (workspace_id, channel_id) = place;
    let Some(id) = affected(channel_id, event) else { return Ok(()) };
    match event {
        ChannelEvent::MemberJoined { user_id, role, invited_by } => {
            let joined = ChannelMemberRecord {
                membership_id: id,
                channel_id,
                workspace_id,
                user_id: user_id.0,
                role: role.as_str().into(),
                notification_level: NotificationLevel::default().as_str().into(),
                joined_at: stamp.at,
                history_until: Some(stamp.recorded_at).filter(|recorded_at| *recorded_at > stamp.at),
                left_at: None,
                invited_by: invited_by.map(|id| id.0),
                is_active: true,
                position: stamp.position,
            };
            members.insert(joined);
            Ok(())
        }
        ChannelEvent::MemberLeft { user_id: _ } | ChannelEvent::MemberRemoved { .. } => members.change(id, stamp, |row| {
            row.is_active = false;
            row.left_at = Some(stamp.at);
            row.role = MemberRole::Member.as_str().into();
        }),
        ChannelEvent::MemberRoleChanged { user_id: _, role } => members.change(id, stamp, |row| row.role = role.as_str().into()),
        ChannelEvent::NotificationLevelChanged { user_id: _, level } => {
            members.change(id, stamp, |row| row.notification_level = level.as_str().into())
        }
        ChannelEvent::Created(_)
        | ChannelEvent::Renamed { .. }
        | ChannelEvent::TopicChanged { .. }
        | ChannelEvent::PurposeChanged { .. }
        | ChannelEvent::DescriptionChanged { .. }
        | ChannelEvent::SettingsChanged(_)
        | ChannelEvent::Archived { .. }
        | ChannelEvent::Unarchived { .. } => Ok(()),
    }
}

/// Reads memberships.
pub(super) async fn load(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<ChannelMemberRecord>> {
    query_file_as!(ChannelMemberRecord, "src/relational/sql/load_channel_members.sql", ids).fetch_all(connection).await
}

impl CopyRow for ChannelMemberRecord {
    const COLUMNS: &'static [&'static str] = <Self as JsonRow>::COLUMNS;

    fn write(&self, tuple: &mut Tuple<'_>) {
        tuple.uuid(self.membership_id);
        tuple.uuid(self.channel_id);
        tuple.uuid(self.workspace_id);
        tuple.uuid(self.user_id);
        tuple.text(&self.role);
        tuple.text(&self.notification_level);
        tuple.time(self.joined_at);
        tuple.maybe(self.history_until, Tuple::time);
        tuple.maybe(self.left_at, Tuple::time);
        tuple.maybe(self.invited_by, Tuple::uuid);
        tuple.bool(self.is_active);
        tuple.int8(self.position);
    }
}

row!(ChannelMemberRecord, "channel_members", membership_id);

json_row! {
    ChannelMemberRecord, "channel_members", "membership_id",
    "channel_id", "workspace_id", "user_id", "role", "notification_level", "joined_at", "history_until", "left_at",
    "invited_by", "is_active", "position"
}

impl ReadModels {
    /// Returns the present members of a channel, in order of their identifiers, without people who were erased. `after`
    /// is the last user of the page before.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn channel_members(
        &self,
        channel_id: ChannelId,
        after: Option<UserId>,
        limit: u16,
    ) -> Result<Vec<ChannelMemberRow>, QueryError> {
        let after = after.map_or(Uuid::nil(), |id| id.0);
        let file = query_file_as!(ChannelMemberRow, "src/relational/sql/channel_members.sql", channel_id.0, after, rows(limit));
        Ok(file.fetch_all(&self.pool).await?)
    }

    /// Returns a present member of a channel.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn channel_member(&self, channel_id: ChannelId, user_id: UserId) -> Result<Option<ChannelMemberRow>, QueryError> {
        let file = query_file_as!(ChannelMemberRow, "src/relational/sql/channel_member.sql", channel_id.0, user_id.0);
        Ok(file.fetch_optional(&self.pool).await?)
    }
}
