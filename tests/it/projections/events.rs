//! The effects of each event on the read tables.

use chrono::{Duration, Utc};
use domain::channel::{ChannelSettings, Kind, MemberRole, NotificationLevel};
use domain::ids::{InvitationId, MessageId, UserId};
use domain::permission::{Permission, Role};
use domain::retention::RetentionPolicy;
use domain::text::{
    ChannelDisplayName, ChannelName, Department, Description, DisplayName, Emoji, Language, MessageBody, Purpose, StatusText, Timezone,
    Title, Topic, WorkspaceName,
};
use domain::user::{Preferences, Profile};
use domain::workspace::{Details, WorkspaceSettings};
use domain::{ChannelCommand, MessageCommand, UserCommand, WorkspaceCommand};
use projections::RebuildOptions;
use projections::relational::messages::MessageDetail;
use serde_json::json;

use super::{Fixture, team_of_three};
use crate::support::{Team, asked, post_dated, sign_up};

impl Fixture {
    async fn user_is_asked(&self, actor: UserId, user_id: UserId, command: UserCommand) {
        self.commands().user(&asked(actor), user_id, command).await.expect("a command of a user");
    }

    async fn workspace_is_asked(&self, team: Team, command: WorkspaceCommand) {
        self.commands().workspace(&asked(team.owner), team.workspace_id, command).await.expect("a command of a workspace");
    }

    async fn channel_is_asked(&self, actor: UserId, channel_id: domain::ids::ChannelId, command: ChannelCommand) {
        self.commands().channel(&asked(actor), channel_id, command).await.expect("a command of a channel");
    }

    pub async fn message_is_asked(&self, actor: UserId, message_id: MessageId, command: MessageCommand) {
        self.commands().message(&asked(actor), message_id, command).await.expect("a command of a message");
    }

    pub async fn message(&self, message_id: MessageId) -> MessageDetail {
        self.settle().await;
        self.reading.read.message(message_id).await.expect("the read tables").expect("a message")
    }
}

pub fn body(text: &str) -> MessageBody {
    MessageBody::parse(text).expect("a text")
}

pub fn emoji(text: &str) -> Emoji {
    Emoji::parse(text).expect("an emoji")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_row_has_the_newest_profile() {
    let fixture = Fixture::start().await;
    let ann = sign_up(fixture.commands(), "ann").await;
    let profile = Profile {
        display_name: DisplayName::parse("Ann Orchard").expect("a name"),
        avatar_url: None,
        title: Some(Title::parse("Gardener").expect("a title")),
        phone: None,
        bio: None,
        pronouns: None,
    };
    fixture.user_is_asked(ann, ann, UserCommand::ChangeProfile(Box::new(profile))).await;
    let preferences = Preferences {
        timezone: Some(Timezone::parse("Europe/Zurich").expect("a time zone")),
        language: Some(Language::parse("de-CH").expect("a language")),
        ..Preferences::default()
    };
    fixture.user_is_asked(ann, ann, UserCommand::ChangePreferences(preferences)).await;
    let text = Some(StatusText::parse("pruning").expect("a status"));
    let expires_at = Some(Utc::now() + Duration::hours(1));
    fixture.user_is_asked(ann, ann, UserCommand::ChangeStatus { text, emoji: Some(emoji("🌳")), expires_at }).await;
    fixture.settle().await;

    let shown = fixture.reading.read.user(ann).await.expect("the read tables").expect("a user");
    assert_eq!((shown.display_name.as_str(), shown.title.as_deref()), ("Ann Orchard", Some("Gardener")));
    assert_eq!((shown.timezone.as_str(), shown.language.as_str(), shown.status.as_str()), ("Europe/Zurich", "de-CH", "active"));
    assert_eq!((shown.status_text.as_deref(), shown.status_emoji.as_deref()), (Some("pruning"), Some("🌳")));
    assert!(shown.status_expires_at.is_some() && shown.updated_at > shown.created_at);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_user_is_shown_as_suspended_until_the_suspension_ends() {
    let fixture = Fixture::start().await;
    // The first user of a server is an operator.
    let operator = sign_up(fixture.commands(), "operator").await;
    let ann = sign_up(fixture.commands(), "ann").await;
    fixture.user_is_asked(operator, ann, UserCommand::Suspend { reason: None }).await;
    fixture.settle().await;
    assert_eq!(fixture.reading.read.user(ann).await.expect("the read tables").expect("a user").status, "suspended");
    fixture.user_is_asked(operator, ann, UserCommand::Reactivate).await;
    fixture.settle().await;
    assert_eq!(fixture.reading.read.user(ann).await.expect("the read tables").expect("a user").status, "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_row_has_the_newest_details_and_settings() {
    let fixture = Fixture::start().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    let details = Details {
        name: WorkspaceName::parse("Old Orchard").expect("a name"),
        description: Some(Description::parse("apples").expect("a description")),
        avatar_url: None,
    };
    fixture.workspace_is_asked(team, WorkspaceCommand::ChangeDetails(details)).await;
    let settings = WorkspaceSettings { retention_policy: Some(RetentionPolicy::days(30)), ..WorkspaceSettings::default() };
    fixture.workspace_is_asked(team, WorkspaceCommand::ChangeSettings(settings)).await;
    fixture.settle().await;

    let shown = fixture.reading.read.workspace(team.workspace_id).await.expect("the read tables").expect("a workspace");
    assert_eq!((shown.name.as_str(), shown.description.as_deref()), ("Old Orchard", Some("apples")));
    assert_eq!((shown.settings, shown.general_channel_id), (json!({"retention_policy": {"days": 30}}), team.general.0));
    let of_ann = fixture.reading.read.workspaces_of(ann).await.expect("the read tables");
    assert_eq!(of_ann.iter().map(|w| w.workspace_id).collect::<Vec<_>>(), [team.workspace_id.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_row_has_the_role_details_permissions_and_status() {
    let fixture = Fixture::start().await;
    let (team, ann, bob) = team_of_three(&fixture).await;
    let (title, department) = (Title::parse("Lead").ok(), Department::parse("Trees").ok());
    fixture.workspace_is_asked(team, WorkspaceCommand::ChangeMemberDetails { user_id: ann, title, department }).await;
    let permissions = [(Permission::MessagePin, false)].into();
    fixture.workspace_is_asked(team, WorkspaceCommand::ChangeMemberPermissions { user_id: ann, permissions }).await;
    fixture.workspace_is_asked(team, WorkspaceCommand::DeactivateMember { user_id: bob }).await;
    fixture.workspace_is_asked(team, WorkspaceCommand::HandOver { to: ann }).await;
    fixture.settle().await;

    let member = async |user| fixture.reading.read.member(team.workspace_id, user).await.expect("the read tables").expect("a member");
    let shown = member(ann).await;
    assert_eq!((shown.role.as_str(), shown.title.as_deref(), shown.department.as_deref()), ("owner", Some("Lead"), Some("Trees")));
    assert_eq!((shown.permissions, shown.display_name.as_deref()), (json!({"message.pin": false}), Some("ann")));
    assert_eq!(member(team.owner).await.role, "admin");
    assert_eq!(member(bob).await.membership, "deactivated");
    assert_eq!(fixture.reading.read.workspaces_of(bob).await.expect("the read tables").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_shown_until_it_is_accepted_or_revoked() {
    let fixture = Fixture::start().await;
    let (team, _, _) = team_of_three(&fixture).await;
    let invitation_id = InvitationId(uuid::Uuid::now_v7());
    let email = domain::text::Email::parse("eve@example.org").expect("an address");
    let expires_at = Utc::now() + Duration::days(1);
    fixture.workspace_is_asked(team, WorkspaceCommand::Invite { invitation_id, email, role: Role::Guest, expires_at }).await;
    fixture.settle().await;
    let pending = fixture.reading.read.invitations(team.workspace_id, None, 9).await.expect("the read tables");
    assert_eq!(
        pending.iter().map(|i| (i.invitation_id, i.email.as_str(), i.role.as_str())).collect::<Vec<_>>(),
        [(invitation_id.0, "eve@example.org", "guest")]
    );
    fixture.workspace_is_asked(team, WorkspaceCommand::RevokeInvitation { invitation_id }).await;
    fixture.settle().await;
    assert!(fixture.reading.read.invitations(team.workspace_id, None, 9).await.expect("the read tables").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_row_has_its_names_its_descriptions_and_whether_it_is_archived() {
    let fixture = Fixture::start().await;
    let (team, _, _) = team_of_three(&fixture).await;
    let channel = team.channel(fixture.commands(), "apples", Kind::Public, &[]).await;
    let display_name = ChannelDisplayName::parse("All the pears").ok();
    let name = ChannelName::parse("pears").expect("a name");
    let settings = ChannelSettings { allow_threads: false, retention_policy: Some(RetentionPolicy::days(7)), ..ChannelSettings::default() };
    for command in [
        ChannelCommand::Rename { name: name.clone(), display_name },
        ChannelCommand::ChangeTopic { topic: Topic::parse("harvest").ok() },
        ChannelCommand::ChangePurpose { purpose: Purpose::parse("to eat").ok() },
        ChannelCommand::ChangeDescription { description: Description::parse("green").ok() },
        ChannelCommand::ChangeSettings(settings),
        ChannelCommand::Archive,
    ] {
        fixture.channel_is_asked(team.owner, channel, command).await;
    }
    fixture.settle().await;

    let shown = fixture
        .reading
        .read
        .channel_by_name(team.workspace_id, name.as_str(), team.owner)
        .await
        .expect("the read tables")
        .expect("a channel");
    assert_eq!((shown.channel_id, shown.display_name.as_deref()), (channel.0, Some("All the pears")));
    assert_eq!(
        (shown.topic.as_deref(), shown.purpose.as_deref(), shown.description.as_deref()),
        (Some("harvest"), Some("to eat"), Some("green"))
    );
    assert_eq!((shown.allow_threads, shown.retention_policy), (false, Some(json!({"days": 7}))));
    assert!(shown.is_archived && shown.archived_at.is_some() && shown.archived_by == Some(team.owner.0));
    fixture.channel_is_asked(team.owner, channel, ChannelCommand::Unarchive).await;
    fixture.settle().await;
    let shown = fixture.reading.read.channel(channel, team.owner).await.expect("the read tables").expect("a channel");
    assert!(!shown.is_archived && shown.archived_at.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_who_leaves_a_channel_and_returns_has_one_row() {
    let fixture = Fixture::start().await;
    let (team, ann, bob) = team_of_three(&fixture).await;
    let channel = team.channel(fixture.commands(), "apples", Kind::Public, &[ann, bob]).await;
    fixture.channel_is_asked(team.owner, channel, ChannelCommand::ChangeMemberRole { user_id: bob, role: MemberRole::Admin }).await;
    fixture.channel_is_asked(ann, channel, ChannelCommand::ChangeNotificationLevel { level: NotificationLevel::Mentions }).await;
    fixture.settle().await;
    let members = fixture.reading.read.channel_members(channel, None, 50).await.expect("the read tables");
    let of = |user: UserId| members.iter().find(|m| m.user_id == user.0).expect("a member");
    assert_eq!((of(bob).role.as_str(), of(ann).notification_level.as_str(), of(ann).invited_by), ("admin", "mentions", Some(team.owner.0)));

    fixture.channel_is_asked(ann, channel, ChannelCommand::Leave).await;
    fixture.channel_is_asked(team.owner, channel, ChannelCommand::RemoveMember { user_id: bob }).await;
    fixture.channel_is_asked(ann, channel, ChannelCommand::Join).await;
    fixture.settle().await;
    let members = fixture.reading.read.channel_members(channel, None, 50).await.expect("the read tables");
    let ann_again = members.iter().find(|m| m.user_id == ann.0).expect("a member");
    assert_eq!((members.len(), ann_again.notification_level.as_str()), (2, "all"));
    let rows =
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM channel_members WHERE channel_id = $1 AND (is_active OR left_at IS NOT NULL)");
    assert_eq!(rows.bind(channel.0).fetch_one(&fixture.reading.pool).await.expect("a count"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_channels_may_swap_their_names_in_one_batch() {
    let mut fixture = Fixture::without_projector().await;
    let (team, _, _) = team_of_three(&fixture).await;
    let apples = team.channel(fixture.commands(), "apples", Kind::Public, &[]).await;
    let pears = team.channel(fixture.commands(), "pears", Kind::Public, &[]).await;
    for (channel, name) in [(apples, "spare"), (pears, "apples"), (apples, "pears")] {
        let name = ChannelName::parse(name).expect("a name");
        fixture.channel_is_asked(team.owner, channel, ChannelCommand::Rename { name, display_name: None }).await;
    }
    fixture.reading.start_projector(None);
    fixture.settle().await;
    let apples = fixture.reading.read.channel(apples, team.owner).await.expect("the read tables").expect("a channel");
    assert_eq!(apples.name.as_deref(), Some("pears"));
    assert!(projections::states(&fixture.reading.pool).await.expect("states")[0].parked.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_message_keeps_its_earlier_texts_and_has_only_its_present_mentions() {
    let fixture = Fixture::start().await;
    let (team, ann, bob) = team_of_three(&fixture).await;
    let message = fixture.post(team.owner, team.general, &format!("hello <@{ann}>")).await;
    fixture.settle().await;
    let mentioned = async |user| fixture.reading.read.mentions_of(user, team.workspace_id, None, 50).await.expect("the read tables").len();
    assert_eq!((mentioned(ann).await, mentioned(bob).await), (1, 0));

    fixture.message_is_asked(team.owner, message, MessageCommand::Edit { content: body(&format!("hello <@{bob}>")) }).await;
    let shown = fixture.message(message).await;
    assert_eq!(shown.message.content, format!("hello <@{bob}>"));
    assert_eq!(shown.message.formatted_content, Some(json!({"mentions": [bob]})));
    assert_eq!(shown.edit_history.iter().map(|e| e.content.clone()).collect::<Vec<_>>(), [format!("hello <@{ann}>")]);
    assert_eq!((shown.message.edited_by, shown.edit_history[0].edited_by), (Some(team.owner.0), team.owner.0));
    assert_eq!((mentioned(ann).await, mentioned(bob).await), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_of_a_deleted_message_is_left() {
    let fixture = Fixture::start().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    let message = fixture.post(team.owner, team.general, &format!("a secret for <@{ann}>")).await;
    fixture.message_is_asked(team.owner, message, MessageCommand::Edit { content: body("another secret") }).await;
    fixture.message_is_asked(team.owner, message, MessageCommand::Pin).await;
    fixture.message_is_asked(team.owner, message, MessageCommand::Delete).await;
    let shown = fixture.message(message).await;
    assert!(shown.message.is_deleted && shown.message.deleted_at.is_some() && !shown.message.is_pinned);
    assert_eq!((shown.message.content.as_str(), shown.message.formatted_content, shown.edit_history.len()), ("", None, 0));
    assert!(!fixture.reading.dump().await.iter().any(|row| row.contains("secret")));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_counted_until_they_are_deleted() {
    let fixture = Fixture::start().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    let root = fixture.post(team.owner, team.general, "who picks?").await;
    let first = fixture.reply(ann, team.general, root, "me").await;
    fixture.reply(team.owner, team.general, root, "good").await;
    assert_eq!(fixture.message(root).await.message.reply_count, 2);
    fixture.message_is_asked(ann, first, MessageCommand::Delete).await;
    assert_eq!(fixture.message(root).await.message.reply_count, 1);
}

/// The emojis, the counts and the users of a message's reactions.
async fn shown(fixture: &Fixture, message: MessageId) -> serde_json::Value {
    let reactions = fixture.message(message).await.message.reactions.0;
    reactions.into_iter().map(|reaction| json!([reaction.emoji, reaction.count, reaction.users])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn reactions_are_in_the_order_in_which_users_reacted() {
    let fixture = Fixture::start().await;
    let (team, ann, bob) = team_of_three(&fixture).await;
    let message = fixture.post(team.owner, team.general, "pears are ripe").await;
    for user in [bob, ann, team.owner] {
        fixture.message_is_asked(user, message, MessageCommand::React { emoji: emoji("🍐") }).await;
    }
    fixture.message_is_asked(ann, message, MessageCommand::React { emoji: emoji("👍") }).await;
    fixture.message_is_asked(bob, message, MessageCommand::RemoveReaction { emoji: emoji("🍐") }).await;
    assert_eq!(shown(&fixture, message).await, json!([["🍐", 2, [ann, team.owner]], ["👍", 1, [ann]]]));
    fixture.message_is_asked(ann, message, MessageCommand::RemoveReaction { emoji: emoji("👍") }).await;
    assert_eq!(shown(&fixture, message).await, json!([["🍐", 2, [ann, team.owner]]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_lists_the_first_fifty_people_of_an_emoji_and_counts_all() {
    let fixture = Fixture::start().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    let message = fixture.post(ann, team.general, "free cake in the kitchen").await;
    let mut people = Vec::new();
    for n in 0..52 {
        people.push(team.member(fixture.commands(), &format!("eater-{n}"), Role::Member).await);
    }
    let react = async |user, command: fn(Emoji) -> MessageCommand| fixture.message_is_asked(user, message, command(emoji("🍰"))).await;
    for user in &people {
        react(*user, |emoji| MessageCommand::React { emoji }).await;
    }
    react(people[0], |emoji| MessageCommand::RemoveReaction { emoji }).await;
    let shown = fixture.message(message).await.message;
    let listed = people[1..50].iter().map(|user| json!(user)).collect::<Vec<_>>();
    assert_eq!(json!(shown.reactions), json!([{"emoji": "🍰", "count": 51, "users": listed}]));

    let first = fixture.reading.read.reactions_of(message, "🍰", None, 30).await.expect("the read tables");
    let rest = fixture.reading.read.reactions_of(message, "🍰", first.last().map(|row| row.position), 30).await.expect("the read tables");
    assert_eq!(first.iter().chain(&rest).map(|row| UserId(row.user_id)).collect::<Vec<_>>(), people[1..]);

    let live = fixture.reading.dump().await;
    for kept_messages in [0, 40] {
        fixture.rebuild(RebuildOptions { kept_messages, ..RebuildOptions::default() }).await.expect("the same tables");
        assert_eq!(fixture.reading.dump().await, live, "{kept_messages} messages are kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pins_are_listed_newest_first_until_they_are_removed() {
    let fixture = Fixture::start().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    let (first, second) = (fixture.post(ann, team.general, "one").await, fixture.post(ann, team.general, "two").await);
    fixture.message_is_asked(ann, second, MessageCommand::Pin).await;
    fixture.message_is_asked(ann, first, MessageCommand::Pin).await;
    fixture.settle().await;
    let pins = async || {
        fixture.reading.read.pins(team.general, None, 9).await.expect("the read tables").iter().map(|m| m.message_id).collect::<Vec<_>>()
    };
    assert_eq!(pins().await, [first.0, second.0]);
    fixture.message_is_asked(ann, first, MessageCommand::Unpin).await;
    fixture.settle().await;
    assert_eq!(pins().await, [second.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_month_gets_a_partition_with_its_first_message() {
    let fixture = Fixture::start().await;
    let (team, _, _) = team_of_three(&fixture).await;
    let mut messages = Vec::new();
    for at in ["2015-12-31T23:59:59.999999Z", "2016-01-01T00:00:00Z", "2016-02-29T12:00:00Z"] {
        let new = super::new_message(at.parse().expect("a time"), "long ago", None);
        messages.push(new.message_id);
        assert!(post_dated(fixture.commands(), team.owner, team.general, new).await, "the message is appended");
    }
    fixture.settle().await;
    for message in &messages {
        assert_eq!(fixture.message(*message).await.message.content, "long ago");
    }
    let partitions = sqlx::query_scalar::<_, String>(
        "SELECT relname::text FROM pg_class WHERE relispartition AND relkind = 'r' AND relnamespace = 'read'::regnamespace ORDER BY 1",
    );
    let partitions = partitions.fetch_all(&fixture.reading.pool).await.expect("partitions");
    assert_eq!(partitions[..3], ["messages_2015_12", "messages_2016_01", "messages_2016_02"]);
    for message in &messages[1..] {
        let read = months_read(&fixture.reading.pool, *message).await;
        assert!(!read.is_empty() && read.len() <= 2, "a lookup reads the months around the identifier: {read:?}");
    }
    assert_eq!(months_read(&fixture.reading.pool, messages[2]).await, ["messages_2016_02".to_owned()].into());
}

/// The partitions that the projector reads to find a message.
async fn months_read(pool: &sqlx::PgPool, message: MessageId) -> std::collections::BTreeSet<String> {
    let lookup = include_str!("../../../projections/src/relational/sql/load_messages.sql");
    let (explain, (earliest, latest)) = (format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {lookup}"), message.window());
    let plan = sqlx::query_scalar::<_, String>(&explain).bind(vec![message.0]).bind(vec![earliest]).bind(vec![latest]);
    let plan = plan.fetch_all(pool).await.expect("a plan");
    let read = plan.iter().filter(|line| !line.contains("never executed"));
    read.filter_map(|line| line.get(line.find("messages_20")?..)?.get(.."messages_2016_02".len()).map(str::to_owned)).collect()
}
