//! Each test gives past events and a command, and compares the events or the refusal that follow.

mod members;

use std::collections::BTreeSet;

use cqrs_es::test::TestFramework;

use super::{
    Channel, ChannelCommand, ChannelEvent, ChannelRefusal, ChannelSettings, Creation, Kind, MemberRole, NewChannel, NotificationLevel,
    people_key,
};
use crate::ids::UserId;
use crate::refusal::OutOfRange;
use crate::retention::RetentionPolicy;
use crate::retention_policy::RETENTION_DAYS;
use crate::test_data::{ACME, ANN, BOB, CAT, DAN, by};
use crate::text::{ChannelDisplayName, ChannelName, Description, Purpose, Topic};

type Given = TestFramework<Channel>;

fn name(text: &str) -> ChannelName {
    ChannelName::parse(text).expect("a name")
}

fn new(kind: Kind, named: Option<&str>, members: &[UserId]) -> NewChannel {
    NewChannel {
        workspace_id: ACME,
        kind,
        name: named.map(name),
        display_name: None,
        description: None,
        topic: None,
        purpose: None,
        is_general: false,
        members: members.iter().copied().collect(),
    }
}

fn create(new: NewChannel) -> ChannelCommand {
    ChannelCommand::Create(Box::new(new))
}

fn creation(kind: Kind, named: Option<&str>) -> Creation {
    Creation {
        workspace_id: ACME,
        kind,
        name: named.map(name),
        display_name: None,
        description: None,
        topic: None,
        purpose: None,
        is_general: false,
        created_by: ANN,
    }
}

fn created(kind: Kind, named: Option<&str>) -> ChannelEvent {
    ChannelEvent::Created(Box::new(creation(kind, named)))
}

fn joined(user_id: UserId, role: MemberRole, invited_by: Option<UserId>) -> ChannelEvent {
    ChannelEvent::MemberJoined { user_id, role, invited_by }
}

/// Ann is its admin and Bob is a member. Cat and Dan are not members.
fn of_kind(kind: Kind) -> Vec<ChannelEvent> {
    vec![created(kind, Some("plans")), joined(ANN, MemberRole::Admin, None), joined(BOB, MemberRole::Member, Some(ANN))]
}

fn plans() -> Vec<ChannelEvent> {
    of_kind(Kind::Public)
}

fn general() -> Vec<ChannelEvent> {
    let general = Creation { is_general: true, ..creation(Kind::Public, Some("general")) };
    vec![ChannelEvent::Created(Box::new(general)), joined(ANN, MemberRole::Admin, None), joined(BOB, MemberRole::Member, None)]
}

fn direct() -> Vec<ChannelEvent> {
    vec![created(Kind::Direct, None), joined(ANN, MemberRole::Member, None), joined(BOB, MemberRole::Member, Some(ANN))]
}

fn archived() -> ChannelEvent {
    ChannelEvent::Archived { by: ANN }
}

fn rename(text: &str) -> ChannelCommand {
    ChannelCommand::Rename { name: name(text), display_name: None }
}

fn retention(days: Option<u32>) -> ChannelSettings {
    ChannelSettings { retention_policy: Some(RetentionPolicy { days, ..RetentionPolicy::default() }), ..ChannelSettings::default() }
}

/// Every command that changes the channel or its members. Cat is not a member.
fn changes() -> Vec<ChannelCommand> {
    vec![
        rename("other"),
        ChannelCommand::ChangeTopic { topic: Topic::parse("tea").ok() },
        ChannelCommand::ChangePurpose { purpose: Purpose::parse("tea").ok() },
        ChannelCommand::ChangeDescription { description: Description::parse("tea").ok() },
        ChannelCommand::Join,
        ChannelCommand::AddMember { user_id: CAT },
        ChannelCommand::RemoveMember { user_id: BOB },
        ChannelCommand::ChangeMemberRole { user_id: BOB, role: MemberRole::Admin },
    ]
}

#[test]
fn the_creator_of_a_channel_is_its_first_member_and_admin() {
    for kind in [Kind::Public, Kind::Private] {
        Given::with(())
            .given_no_previous_events()
            .when((by(ANN), create(new(kind, Some("plans"), &[ANN, BOB]))))
            .then_expect_events(of_kind(kind));
    }
}

#[test]
fn the_participants_of_a_direct_conversation_have_equal_roles() {
    Given::with(()).given_no_previous_events().when((by(ANN), create(new(Kind::Direct, None, &[BOB])))).then_expect_events(direct());
}

#[test]
fn a_channel_is_created_once() {
    Given::with(())
        .given(plans())
        .when((by(ANN), create(new(Kind::Public, Some("plans"), &[]))))
        .then_expect_error(ChannelRefusal::CreatedAlready);
}

#[test]
fn a_public_or_private_channel_needs_a_name() {
    for kind in [Kind::Public, Kind::Private] {
        Given::with(())
            .given_no_previous_events()
            .when((by(ANN), create(new(kind, None, &[BOB]))))
            .then_expect_error(ChannelRefusal::NameRequired);
    }
}

#[test]
fn a_direct_or_group_conversation_has_no_name() {
    for (kind, members) in [(Kind::Direct, vec![BOB]), (Kind::GroupDirect, vec![BOB, CAT])] {
        Given::with(())
            .given_no_previous_events()
            .when((by(ANN), create(new(kind, Some("us"), &members))))
            .then_expect_error(ChannelRefusal::NameUnexpected);
    }
}

#[test]
fn a_conversation_has_as_many_participants_as_its_kind_allows() {
    let people = |count: u128| (1..count).map(|n| UserId(uuid::Uuid::from_u128(0x1000 + n))).collect::<Vec<_>>();
    for (kind, counts) in [(Kind::Direct, [1, 2]), (Kind::GroupDirect, [3, 9])] {
        for count in counts {
            let events =
                Given::with(()).given_no_previous_events().when((by(ANN), create(new(kind, None, &people(count))))).inspect_result();
            assert_eq!(events.map(|e| e.len() as u128), Ok(count + 1), "{kind:?} of {count}");
        }
    }
    for (kind, count) in [(Kind::Direct, 3), (Kind::GroupDirect, 2), (Kind::GroupDirect, 10)] {
        Given::with(())
            .given_no_previous_events()
            .when((by(ANN), create(new(kind, None, &people(count)))))
            .then_expect_error(ChannelRefusal::PeopleOutOfRange);
    }
}

#[test]
fn before_it_is_created_everything_else_is_refused() {
    let others = [
        ChannelCommand::ChangeSettings(ChannelSettings::default()),
        ChannelCommand::Leave,
        ChannelCommand::ChangeNotificationLevel { level: NotificationLevel::None },
        ChannelCommand::Archive,
        ChannelCommand::Unarchive,
    ];
    for command in changes().into_iter().chain(others) {
        Given::with(()).given_no_previous_events().when((by(ANN), command)).then_expect_error(ChannelRefusal::NotFound);
    }
}

#[test]
fn a_channel_is_renamed_and_general_too() {
    let renamed = || vec![ChannelEvent::Renamed { name: name("other"), display_name: None }];
    Given::with(()).given(plans()).when((by(ANN), rename("other"))).then_expect_events(renamed());
    Given::with(()).given(general()).when((by(ANN), rename("other"))).then_expect_events(renamed());
}

#[test]
fn a_display_name_alone_is_changed() {
    let display_name = ChannelDisplayName::parse("Plans!").ok();
    Given::with(())
        .given(plans())
        .when((by(ANN), ChannelCommand::Rename { name: name("plans"), display_name: display_name.clone() }))
        .then_expect_events(vec![ChannelEvent::Renamed { name: name("plans"), display_name }]);
}

#[test]
fn topic_purpose_and_description_are_set_and_cleared() {
    let (topic, purpose, description) = (Topic::parse("tea").ok(), Purpose::parse("tea").ok(), Description::parse("tea").ok());
    let set = vec![
        ChannelEvent::TopicChanged { topic: topic.clone() },
        ChannelEvent::PurposeChanged { purpose: purpose.clone() },
        ChannelEvent::DescriptionChanged { description: description.clone() },
    ];
    let setting = [
        ChannelCommand::ChangeTopic { topic },
        ChannelCommand::ChangePurpose { purpose },
        ChannelCommand::ChangeDescription { description },
    ];
    let clearing = [
        (ChannelCommand::ChangeTopic { topic: None }, ChannelEvent::TopicChanged { topic: None }),
        (ChannelCommand::ChangePurpose { purpose: None }, ChannelEvent::PurposeChanged { purpose: None }),
        (ChannelCommand::ChangeDescription { description: None }, ChannelEvent::DescriptionChanged { description: None }),
    ];
    for (command, event) in setting.into_iter().zip(set.clone()) {
        Given::with(()).given(plans()).when((by(ANN), command)).then_expect_events(vec![event]);
    }
    for (command, event) in clearing {
        Given::with(()).given(plans()).and(set.clone()).when((by(ANN), command)).then_expect_events(vec![event]);
    }
}

#[test]
fn a_command_that_changes_nothing_makes_no_event() {
    let commands = [
        rename("plans"),
        ChannelCommand::ChangeTopic { topic: None },
        ChannelCommand::ChangePurpose { purpose: None },
        ChannelCommand::ChangeDescription { description: None },
        ChannelCommand::ChangeSettings(ChannelSettings::default()),
        ChannelCommand::ChangeMemberRole { user_id: BOB, role: MemberRole::Member },
        ChannelCommand::ChangeNotificationLevel { level: NotificationLevel::All },
    ];
    for command in commands {
        Given::with(()).given(plans()).when((by(ANN), command)).then_expect_events(vec![]);
    }
}

#[test]
fn settings_are_changed_in_a_channel_and_in_a_conversation() {
    for given in [plans(), direct()] {
        for days in [None, Some(1), Some(36_500)] {
            Given::with(())
                .given(given.clone())
                .when((by(ANN), ChannelCommand::ChangeSettings(retention(days))))
                .then_expect_events(vec![ChannelEvent::SettingsChanged(retention(days))]);
        }
    }
}

#[test]
fn messages_are_kept_for_a_day_at_least_and_a_hundred_years_at_most() {
    for days in [0, 36_501] {
        let wrong = OutOfRange { field: "retention_policy.days", min: *RETENTION_DAYS.start(), max: *RETENTION_DAYS.end() };
        Given::with(())
            .given(plans())
            .when((by(ANN), ChannelCommand::ChangeSettings(retention(Some(days)))))
            .then_expect_error(ChannelRefusal::SettingsInvalid(wrong));
    }
}

#[test]
fn a_channel_is_archived() {
    for kind in [Kind::Public, Kind::Private] {
        Given::with(()).given(of_kind(kind)).when((by(ANN), ChannelCommand::Archive)).then_expect_events(vec![archived()]);
    }
}

#[test]
fn archiving_an_archived_channel_changes_nothing() {
    Given::with(()).given(plans()).and(vec![archived()]).when((by(ANN), ChannelCommand::Archive)).then_expect_events(vec![]);
}

#[test]
fn an_archived_channel_is_opened_again() {
    Given::with(())
        .given(plans())
        .and(vec![archived()])
        .when((by(BOB), ChannelCommand::Unarchive))
        .then_expect_events(vec![ChannelEvent::Unarchived { by: BOB }]);
}

#[test]
fn opening_an_open_channel_changes_nothing() {
    for given in [plans(), direct()] {
        Given::with(()).given(given).when((by(ANN), ChannelCommand::Unarchive)).then_expect_events(vec![]);
    }
}

#[test]
fn nothing_is_changed_in_an_archived_channel() {
    for command in changes().into_iter().chain([ChannelCommand::ChangeSettings(retention(None))]) {
        let actor = if command == ChannelCommand::Join { CAT } else { ANN };
        Given::with(()).given(plans()).and(vec![archived()]).when((by(actor), command)).then_expect_error(ChannelRefusal::Archived);
    }
}

#[test]
fn an_archived_channel_can_be_left_and_muted() {
    let level = NotificationLevel::None;
    Given::with(())
        .given(plans())
        .and(vec![archived()])
        .when((by(BOB), ChannelCommand::Leave))
        .then_expect_events(vec![ChannelEvent::MemberLeft { user_id: BOB }]);
    Given::with(())
        .given(plans())
        .and(vec![archived()])
        .when((by(BOB), ChannelCommand::ChangeNotificationLevel { level }))
        .then_expect_events(vec![ChannelEvent::NotificationLevelChanged { user_id: BOB, level }]);
}

#[test]
fn general_is_not_archived_or_left_and_nobody_is_removed_from_it() {
    for command in [ChannelCommand::Archive, ChannelCommand::Leave, ChannelCommand::RemoveMember { user_id: BOB }] {
        Given::with(()).given(general()).when((by(ANN), command)).then_expect_error(ChannelRefusal::GeneralStays);
    }
}

#[test]
fn a_direct_conversation_cannot_be_changed() {
    for command in changes().into_iter().chain([ChannelCommand::Leave, ChannelCommand::Archive]) {
        Given::with(()).given(direct()).when((by(ANN), command)).then_expect_error(ChannelRefusal::DirectStays);
    }
}

#[test]
fn the_same_participants_have_the_same_key_in_any_order() {
    assert_eq!(people_key(&BTreeSet::from([BOB, ANN])), people_key(&BTreeSet::from([ANN, BOB])));
    assert_ne!(people_key(&BTreeSet::from([ANN])), people_key(&BTreeSet::from([ANN, DAN])));
}
