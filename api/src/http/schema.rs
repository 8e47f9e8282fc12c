//! The domain's enums, for the OpenAPI document. A test checks that they have the domain's values.

use utoipa::ToSchema;

/// The role of a member in a workspace.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Role {
    /// A guest sees only the channels that they were added to.
    Guest,
    /// The usual role.
    Member,
    /// Runs the workspace.
    Admin,
    /// Runs the workspace, and may hand it over.
    Owner,
}

/// The people who can find a channel.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum ChannelType {
    /// Everyone in the workspace but guests.
    Public,
    /// Its members.
    Private,
    /// The one or two people who talk in it.
    Dm,
    /// The three to nine people who talk in it.
    GroupDm,
}

/// The role of a member in a channel.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum ChannelRole {
    /// The usual role.
    Member,
    /// May rename, archive and set up the channel, and remove members.
    Admin,
}

/// The events of which a member is notified.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum NotificationLevel {
    /// Every message.
    All,
    /// Messages that mention them.
    Mentions,
    /// Nothing.
    None,
}

/// The workspace, channel or person that a legal hold covers. Its schema is in `openapi/types.rs`.
#[derive(ToSchema)]
pub struct HoldTarget;

/// How long messages are kept.
#[derive(ToSchema)]
pub struct RetentionPolicy {
    /// The number of days. If absent, messages are kept for ever.
    #[schema(minimum = 1, maximum = 36500)]
    pub days: Option<u32>,
    /// The action for older messages. The default is `archive`.
    pub action: Option<RetentionAction>,
    /// Whether pinned messages and their threads stay, however old they are. The default is `true`.
    pub keep_pinned: Option<bool>,
}

/// The action for messages that are old enough.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum RetentionAction {
    /// They are moved to the archive.
    Archive,
    /// Their texts are removed.
    Purge,
}

#[cfg(test)]
mod tests {
    use domain::channel::{Kind, MemberRole, NotificationLevel as Level};
    use domain::permission::Role as DomainRole;
    use domain::retention::RetentionAction as Action;
    use serde_json::{Value, json};
    use utoipa::PartialSchema;

    fn words<T: PartialSchema>() -> Value {
        serde_json::to_value(T::schema()).expect("JSON")["enum"].clone()
    }

    #[test]
    fn the_documented_words_are_those_of_the_domain() {
        assert_eq!(words::<super::Role>(), json!(DomainRole::ALL.map(DomainRole::as_str)));
        assert_eq!(words::<super::ChannelType>(), json!([Kind::Public, Kind::Private, Kind::Direct, Kind::GroupDirect].map(Kind::as_str)));
        assert_eq!(words::<super::ChannelRole>(), json!([MemberRole::Member, MemberRole::Admin].map(MemberRole::as_str)));
        assert_eq!(words::<super::RetentionAction>(), json!([Action::Archive, Action::Purge].map(Action::as_str)));
        assert_eq!(words::<super::NotificationLevel>(), json!([Level::All, Level::Mentions, Level::None].map(Level::as_str)));
    }
}
