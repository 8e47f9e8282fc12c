//! The rules of channel memberships.

use super::{Given, archived, direct, general, joined, of_kind, plans};
use crate::channel::{ChannelCommand, ChannelEvent, ChannelRefusal, Kind, MemberRole, NotificationLevel};
use crate::test_data::{ANN, BOB, CAT, DAN, by};

#[test]
fn a_user_joins_a_public_channel() {
    for given in [plans(), general()] {
        Given::with(()).given(given).when((by(CAT), ChannelCommand::Join)).then_expect_events(vec![joined(CAT, MemberRole::Member, None)]);
    }
}

#[test]
fn a_private_channel_cannot_be_joined() {
    Given::with(()).given(of_kind(Kind::Private)).when((by(CAT), ChannelCommand::Join)).then_expect_error(ChannelRefusal::Private);
}

#[test]
fn a_member_who_joins_again_changes_nothing_and_is_not_added_again() {
    for kind in [Kind::Public, Kind::Private] {
        Given::with(()).given(of_kind(kind)).when((by(BOB), ChannelCommand::Join)).then_expect_events(vec![]);
        Given::with(()).given(of_kind(kind)).and(vec![archived()]).when((by(BOB), ChannelCommand::Join)).then_expect_events(vec![]);
        for command in [ChannelCommand::AddMember { user_id: ANN }, ChannelCommand::AddMember { user_id: BOB }] {
            Given::with(()).given(of_kind(kind)).when((by(BOB), command)).then_expect_error(ChannelRefusal::MemberAlready);
        }
    }
}

#[test]
fn a_member_adds_another_user() {
    for kind in [Kind::Public, Kind::Private] {
        Given::with(()).given(of_kind(kind)).when((by(BOB), ChannelCommand::AddMember { user_id: CAT })).then_expect_events(vec![joined(
            CAT,
            MemberRole::Member,
            Some(BOB),
        )]);
    }
}

#[test]
fn a_user_outside_the_channel_adds_nobody() {
    for user_id in [CAT, DAN] {
        Given::with(()).given(plans()).when((by(CAT), ChannelCommand::AddMember { user_id })).then_expect_error(ChannelRefusal::NotAMember);
    }
}

#[test]
fn a_member_leaves() {
    Given::with(())
        .given(plans())
        .when((by(BOB), ChannelCommand::Leave))
        .then_expect_events(vec![ChannelEvent::MemberLeft { user_id: BOB }]);
}

#[test]
fn a_former_member_can_join_again() {
    Given::with(())
        .given(plans())
        .and(vec![ChannelEvent::MemberLeft { user_id: BOB }])
        .when((by(BOB), ChannelCommand::Join))
        .then_expect_events(vec![joined(BOB, MemberRole::Member, None)]);
}

#[test]
fn a_member_is_removed() {
    Given::with(())
        .given(plans())
        .when((by(CAT), ChannelCommand::RemoveMember { user_id: BOB }))
        .then_expect_events(vec![ChannelEvent::MemberRemoved { user_id: BOB, removed_by: CAT }]);
}

#[test]
fn nobody_removes_themselves() {
    Given::with(())
        .given(plans())
        .when((by(BOB), ChannelCommand::RemoveMember { user_id: BOB }))
        .then_expect_error(ChannelRefusal::LeaveInstead);
}

#[test]
fn a_member_becomes_an_admin() {
    let role = MemberRole::Admin;
    Given::with(())
        .given(plans())
        .when((by(ANN), ChannelCommand::ChangeMemberRole { user_id: BOB, role }))
        .then_expect_events(vec![ChannelEvent::MemberRoleChanged { user_id: BOB, role }]);
}

#[test]
fn a_member_changes_their_notification_level() {
    let level = NotificationLevel::Mentions;
    for given in [plans(), direct()] {
        Given::with(())
            .given(given)
            .when((by(BOB), ChannelCommand::ChangeNotificationLevel { level }))
            .then_expect_events(vec![ChannelEvent::NotificationLevelChanged { user_id: BOB, level }]);
    }
}

#[test]
fn commands_about_a_membership_need_one() {
    let commands = [
        (CAT, ChannelCommand::ChangeNotificationLevel { level: NotificationLevel::None }),
        (ANN, ChannelCommand::ChangeMemberRole { user_id: CAT, role: MemberRole::Admin }),
    ];
    for (actor, command) in commands {
        Given::with(()).given(plans()).when((by(actor), command)).then_expect_error(ChannelRefusal::NotAMember);
    }
}

#[test]
fn ending_a_membership_that_is_not_there_changes_nothing() {
    for (actor, command) in [(CAT, ChannelCommand::Leave), (ANN, ChannelCommand::RemoveMember { user_id: CAT })] {
        Given::with(()).given(plans()).when((by(actor), command)).then_expect_events(vec![]);
    }
}

#[test]
fn a_removed_member_is_no_admin_any_more() {
    let mut channel = super::Channel::default();
    plans().into_iter().chain([archived()]).for_each(|event| cqrs_es::Aggregate::apply(&mut channel, event));
    assert!(channel.has_admin(ANN) && channel.has_member(ANN));
    cqrs_es::Aggregate::apply(&mut channel, ChannelEvent::MemberRemoved { user_id: ANN, removed_by: BOB });
    assert!(!channel.has_admin(ANN) && !channel.has_member(ANN));
}

#[test]
fn a_channel_is_adopted_once_archived_or_not() {
    for given in [of_kind(Kind::Private), of_kind(Kind::Public)] {
        let adopted = vec![joined(DAN, MemberRole::Admin, None)];
        Given::with(()).given(given.clone()).when((by(DAN), ChannelCommand::Adopt)).then_expect_events(adopted.clone());
        Given::with(())
            .given(given.clone())
            .and(vec![archived()])
            .when((by(DAN), ChannelCommand::Adopt))
            .then_expect_events(adopted.clone());
        Given::with(()).given(given).and(adopted).when((by(DAN), ChannelCommand::Adopt)).then_expect_events(vec![]);
    }
    Given::with(()).given(direct()).when((by(DAN), ChannelCommand::Adopt)).then_expect_error(ChannelRefusal::DirectStays);
}

#[test]
fn the_last_admin_stays_while_others_are_there() {
    let mut channel = super::Channel::default();
    plans().into_iter().for_each(|event| cqrs_es::Aggregate::apply(&mut channel, event));
    assert_eq!(channel.keeps_an_admin(ANN, |_| true), Err(ChannelRefusal::LastAdmin));
    assert_eq!(channel.keeps_an_admin(BOB, |_| true), Ok(()), "Bob is no admin");
    assert_eq!(channel.keeps_an_admin(ANN, |user_id| user_id != BOB), Ok(()), "the only other one has left the workspace");
    let role = MemberRole::Admin;
    cqrs_es::Aggregate::apply(&mut channel, ChannelEvent::MemberRoleChanged { user_id: BOB, role });
    assert_eq!(channel.keeps_an_admin(ANN, |_| true), Ok(()));
    assert!(channel.is_without_members(|_| false) && !channel.is_without_members(|user_id| user_id == BOB));
}
