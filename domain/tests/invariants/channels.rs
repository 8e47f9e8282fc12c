//! The invariants of a channel.

use domain::channel::{ChannelSettings, Kind, MemberRole, NewChannel, NotificationLevel};
use domain::ids::WorkspaceId;
use domain::retention::RetentionPolicy;
use domain::text::{ChannelName, Topic};
use domain::{Channel, ChannelCommand};
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use crate::walk::{Step, asked, person, walk};

fn name() -> impl Strategy<Value = ChannelName> {
    select(vec!["plans", "tea"]).prop_map(|name| ChannelName::parse(name).expect("a name"))
}

fn create() -> impl Strategy<Value = ChannelCommand> {
    let kind = select(vec![Kind::Public, Kind::Private, Kind::Direct, Kind::GroupDirect]);
    let members = prop::collection::btree_set(person(), 0..5);
    (kind, prop::option::of(name()), any::<bool>(), members).prop_map(|(kind, name, is_general, members)| {
        ChannelCommand::Create(Box::new(NewChannel {
            workspace_id: WorkspaceId(Uuid::nil()),
            kind,
            name,
            display_name: None,
            description: None,
            topic: None,
            purpose: None,
            is_general: is_general && kind == Kind::Public,
            members,
        }))
    })
}

fn settings() -> impl Strategy<Value = ChannelSettings> {
    (any::<bool>(), prop::option::of(0_u32..3)).prop_map(|(allow_threads, days)| ChannelSettings {
        allow_threads,
        retention_policy: Some(RetentionPolicy { days, ..RetentionPolicy::default() }),
        ..ChannelSettings::default()
    })
}

fn command() -> impl Strategy<Value = ChannelCommand> {
    let topic = || prop::option::of(Just(Topic::parse("tea").expect("a topic")));
    let role = select(vec![MemberRole::Member, MemberRole::Admin]);
    let level = select(vec![NotificationLevel::All, NotificationLevel::Mentions, NotificationLevel::None]);
    prop_oneof![
        4 => create(),
        1 => name().prop_map(|name| ChannelCommand::Rename { name, display_name: None }),
        1 => topic().prop_map(|topic| ChannelCommand::ChangeTopic { topic }),
        1 => Just(ChannelCommand::ChangePurpose { purpose: None }),
        1 => Just(ChannelCommand::ChangeDescription { description: None }),
        1 => settings().prop_map(ChannelCommand::ChangeSettings),
        4 => Just(ChannelCommand::Join),
        4 => person().prop_map(|user_id| ChannelCommand::AddMember { user_id }),
        2 => Just(ChannelCommand::Leave),
        2 => person().prop_map(|user_id| ChannelCommand::RemoveMember { user_id }),
        2 => (person(), role).prop_map(|(user_id, role)| ChannelCommand::ChangeMemberRole { user_id, role }),
        2 => level.prop_map(|level| ChannelCommand::ChangeNotificationLevel { level }),
        2 => Just(ChannelCommand::Archive),
        2 => Just(ChannelCommand::Unarchive),
    ]
}

fn holds(step: &Step<Channel, ChannelCommand>) -> Result<(), TestCaseError> {
    let Step { before, after, .. } = step;
    let Some(is) = &after.creation else {
        prop_assert_eq!(after, &Channel::default());
        return Ok(());
    };
    let direct = matches!(is.kind, Kind::Direct | Kind::GroupDirect);
    prop_assert_eq!(is.name.is_none(), direct, "a channel has a name, a conversation has none");
    prop_assert!(!(after.archived && (direct || is.is_general)), "what stays was archived");
    if let Some(was) = &before.creation {
        prop_assert_eq!((was.kind, was.created_by, was.is_general), (is.kind, is.created_by, is.is_general));
        membership_holds(before, after, direct, is.is_general)?;
    }
    Ok(())
}

fn membership_holds(before: &Channel, after: &Channel, direct: bool, general: bool) -> Result<(), TestCaseError> {
    if direct {
        prop_assert!(before.members.keys().eq(after.members.keys()), "who talks in a conversation changed");
    }
    if general {
        prop_assert!(before.members.keys().all(|id| after.has_member(*id)), "a member is out of #general");
    }
    if before.archived && after.archived {
        prop_assert!(after.members.keys().all(|id| before.has_member(*id)), "a user joined an archived channel");
        prop_assert_eq!((&before.creation, &before.settings), (&after.creation, &after.settings), "an archived channel changed");
    }
    Ok(())
}

proptest! {
    #[test]
    fn general_and_conversations_stay_and_an_archived_channel_does_not_change(asked in asked(command()), snapshot_at in 0_usize..60) {
        walk(asked, Some(snapshot_at), |_, _| (), |channel: &Channel, (), context, command| channel.decide(context, command), holds)?;
    }
}
