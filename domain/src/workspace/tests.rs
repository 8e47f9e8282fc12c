//! Each test gives past events and a command, and compares the events or the refusal that follow.

mod domains;
mod emojis;
mod grants;
mod holds;
mod members;

use cqrs_es::test::TestFramework;

use super::decide::{EDIT_WINDOW_MINUTES, INVITATIONS_EACH_MAX, INVITATIONS_KEPT_MAX, INVITATIONS_MAX, MAX_MEMBERS, UPLOAD_MAX_BYTES};
use super::{Details, Plan, Workspace, WorkspaceCommand, WorkspaceEvent, WorkspaceRefusal, WorkspaceSettings};
use crate::ids::{InvitationId, UserId};
use crate::permission::{Overrides, Role};
use crate::refusal::OutOfRange;
use crate::retention::RetentionPolicy;
use crate::retention_policy::RETENTION_DAYS;
use crate::test_data::{ANN, BOB, CAT, DAN, GENERAL, by, by_at, days_later, minutes_later, now};
use crate::text::{Email, WorkspaceDomain, WorkspaceName};

type Given = TestFramework<Workspace>;

const INVITATION: InvitationId = InvitationId(uuid::Uuid::from_u128(0x300));
const ANOTHER_INVITATION: InvitationId = InvitationId(uuid::Uuid::from_u128(0x301));

fn details(name: &str) -> Details {
    Details { name: WorkspaceName::parse(name).expect("a name"), description: None, avatar_url: None }
}

fn create(max_members: u32) -> WorkspaceCommand {
    let domain = WorkspaceDomain::parse("acme.example.org").ok();
    WorkspaceCommand::Create { details: details("Acme"), domain, general_channel_id: GENERAL, max_members }
}

fn created(max_members: u32) -> WorkspaceEvent {
    let domain = WorkspaceDomain::parse("acme.example.org").ok();
    WorkspaceEvent::Created { details: details("Acme"), domain, general_channel_id: GENERAL, max_members }
}

fn joined(user_id: UserId, role: Role) -> WorkspaceEvent {
    WorkspaceEvent::MemberJoined { user_id, role, invitation_id: None, invited_by: None }
}

/// Ann is the owner, Bob an admin and Cat a member. Dan is not a member.
fn acme() -> Vec<WorkspaceEvent> {
    vec![created(3), joined(ANN, Role::Owner), joined(BOB, Role::Admin), joined(CAT, Role::Member)]
}

fn deactivated(user_id: UserId) -> WorkspaceEvent {
    WorkspaceEvent::MemberDeactivated { user_id }
}

fn invite(email: &str, role: Role, expires_at: chrono::DateTime<chrono::Utc>) -> WorkspaceCommand {
    let email = Email::parse(email).expect("an address");
    WorkspaceCommand::Invite { invitation_id: INVITATION, email, role, expires_at }
}

fn invited(invitation_id: InvitationId) -> WorkspaceEvent {
    let email = Email::parse("dan@example.org").expect("an address");
    WorkspaceEvent::MemberInvited { invitation_id, email, role: Role::Guest, invited_by: BOB, expires_at: days_later(7) }
}

fn accept() -> WorkspaceCommand {
    WorkspaceCommand::AcceptInvitation { invitation_id: INVITATION }
}

fn out_of_range(field: &'static str, range: &std::ops::RangeInclusive<u64>) -> WorkspaceRefusal {
    WorkspaceRefusal::SettingsInvalid(OutOfRange { field, min: *range.start(), max: *range.end() })
}

#[test]
fn the_creator_of_a_workspace_owns_it() {
    Given::with(()).given_no_previous_events().when((by(ANN), create(3))).then_expect_events(vec![created(3), joined(ANN, Role::Owner)]);
}

#[test]
fn a_workspace_is_created_once() {
    Given::with(()).given(acme()).when((by(ANN), create(3))).then_expect_error(WorkspaceRefusal::CreatedAlready);
}

#[test]
fn a_workspace_has_from_one_to_a_million_members() {
    for max_members in [1, 1_000_000] {
        Given::with(())
            .given_no_previous_events()
            .when((by(ANN), create(max_members)))
            .then_expect_events(vec![created(max_members), joined(ANN, Role::Owner)]);
    }
    for max_members in [0, 1_000_001] {
        Given::with(())
            .given_no_previous_events()
            .when((by(ANN), create(max_members)))
            .then_expect_error(out_of_range("max_members", &MAX_MEMBERS));
    }
}

#[test]
fn before_it_is_created_everything_else_is_refused() {
    let user_id = BOB;
    let commands = [
        WorkspaceCommand::ChangeDetails(details("Acme")),
        WorkspaceCommand::ChangeSettings(WorkspaceSettings::default()),
        WorkspaceCommand::ChangeDomain { domain: None },
        WorkspaceCommand::AddMember { user_id, role: Role::Member },
        invite("dan@example.org", Role::Member, days_later(1)),
        accept(),
        WorkspaceCommand::RevokeInvitation { invitation_id: INVITATION },
        WorkspaceCommand::ChangeMemberRole { user_id, role: Role::Guest },
        WorkspaceCommand::ChangeMemberDetails { user_id, title: None, department: None },
        WorkspaceCommand::ChangeMemberPermissions { user_id, permissions: Overrides::new() },
        WorkspaceCommand::DeactivateMember { user_id },
        WorkspaceCommand::ReactivateMember { user_id },
        WorkspaceCommand::HandOver { to: user_id },
        holds::place(),
        holds::release(),
    ];
    for command in commands {
        Given::with(()).given_no_previous_events().when((by(ANN), command)).then_expect_error(WorkspaceRefusal::NotFound);
    }
}

#[test]
fn details_are_changed() {
    Given::with(())
        .given(acme())
        .when((by(ANN), WorkspaceCommand::ChangeDetails(details("Acme Ltd"))))
        .then_expect_events(vec![WorkspaceEvent::DetailsChanged(details("Acme Ltd"))]);
}

#[test]
fn unchanged_details_are_no_event() {
    Given::with(()).given(acme()).when((by(ANN), WorkspaceCommand::ChangeDetails(details("Acme")))).then_expect_events(vec![]);
}

#[test]
fn a_plan_is_changed_once_and_only_of_a_workspace_that_is_there() {
    let (pro, changed) = (WorkspaceCommand::ChangePlan { plan: Plan::Pro }, WorkspaceEvent::PlanChanged { plan: Plan::Pro });
    Given::with(()).given(acme()).when((by(DAN), pro.clone())).then_expect_events(vec![changed.clone()]);
    Given::with(()).given(acme()).and(vec![changed]).when((by(DAN), pro.clone())).then_expect_events(vec![]);
    Given::with(()).given(acme()).when((by(DAN), WorkspaceCommand::ChangePlan { plan: Plan::Free })).then_expect_events(vec![]);
    Given::with(()).given_no_previous_events().when((by(DAN), pro)).then_expect_error(WorkspaceRefusal::NotFound);
}

#[test]
fn settings_are_changed_up_to_their_limits() {
    for (retention_days, upload_max_bytes, edit_window_minutes) in [(1, 1, 1), (36_500, 10 * 1024 * 1024 * 1024, 525_600)] {
        let settings = WorkspaceSettings {
            retention_policy: Some(RetentionPolicy::days(retention_days)),
            upload_max_bytes: Some(upload_max_bytes),
            edit_window_minutes: Some(edit_window_minutes),
        };
        Given::with(())
            .given(acme())
            .when((by(ANN), WorkspaceCommand::ChangeSettings(settings.clone())))
            .then_expect_events(vec![WorkspaceEvent::SettingsChanged(settings)]);
    }
}

#[test]
fn unchanged_settings_are_no_event() {
    Given::with(())
        .given(acme())
        .when((by(ANN), WorkspaceCommand::ChangeSettings(WorkspaceSettings::default())))
        .then_expect_events(vec![]);
}

#[test]
fn settings_out_of_range_are_refused_with_their_field() {
    let none = WorkspaceSettings::default;
    let retention = |days| {
        (WorkspaceSettings { retention_policy: Some(RetentionPolicy::days(days)), ..none() }, "retention_policy.days", RETENTION_DAYS)
    };
    let upload = |bytes| (WorkspaceSettings { upload_max_bytes: Some(bytes), ..none() }, "upload_max_bytes", UPLOAD_MAX_BYTES);
    let window = |minutes| (WorkspaceSettings { edit_window_minutes: Some(minutes), ..none() }, "edit_window_minutes", EDIT_WINDOW_MINUTES);
    let wrong = [retention(0), retention(36_501), upload(0), upload(10 * 1024 * 1024 * 1024 + 1), window(0), window(525_601)];
    for (settings, field, range) in wrong {
        Given::with(())
            .given(acme())
            .when((by(ANN), WorkspaceCommand::ChangeSettings(settings)))
            .then_expect_error(out_of_range(field, &range));
    }
}

#[test]
fn a_person_is_invited_for_up_to_90_days() {
    Given::with(()).given(acme()).when((by(BOB), invite("dan@example.org", Role::Admin, days_later(90)))).then_expect_events(vec![
        WorkspaceEvent::MemberInvited {
            invitation_id: INVITATION,
            email: Email::parse("dan@example.org").expect("an address"),
            role: Role::Admin,
            invited_by: BOB,
            expires_at: days_later(90),
        },
    ]);
}

#[test]
fn an_invitation_expires_in_the_future_and_within_90_days() {
    for expires_at in [now(), minutes_later(-1), days_later(90) + chrono::TimeDelta::microseconds(1)] {
        Given::with(())
            .given(acme())
            .when((by(BOB), invite("dan@example.org", Role::Member, expires_at)))
            .then_expect_error(WorkspaceRefusal::InvitationExpiryInvalid);
    }
}

#[test]
fn nobody_is_invited_as_an_owner() {
    Given::with(())
        .given(acme())
        .when((by(ANN), invite("dan@example.org", Role::Owner, days_later(1))))
        .then_expect_error(WorkspaceRefusal::OwnerNotInvited);
}

#[test]
fn an_address_has_one_pending_invitation_whatever_its_case() {
    Given::with(())
        .given(acme())
        .and(vec![invited(ANOTHER_INVITATION)])
        .when((by(BOB), invite("Dan@Example.ORG", Role::Member, days_later(1))))
        .then_expect_error(WorkspaceRefusal::InvitedAlready);
}

#[test]
fn an_address_is_invited_again_once_its_invitation_expired_or_was_revoked() {
    let again = WorkspaceEvent::MemberInvited {
        invitation_id: INVITATION,
        email: Email::parse("dan@example.org").expect("an address"),
        role: Role::Guest,
        invited_by: BOB,
        expires_at: days_later(8),
    };
    let command = || invite("dan@example.org", Role::Guest, days_later(8));
    Given::with(())
        .given(acme())
        .and(vec![invited(ANOTHER_INVITATION)])
        .when((by_at(BOB, days_later(7)), command()))
        .then_expect_events(vec![again.clone()]);
    Given::with(())
        .given(acme())
        .and(vec![invited(ANOTHER_INVITATION), WorkspaceEvent::InvitationRevoked { invitation_id: ANOTHER_INVITATION }])
        .when((by(BOB), command()))
        .then_expect_events(vec![again]);
}

#[test]
fn an_invitation_is_accepted_with_its_role() {
    Given::with(()).given(acme()).and(vec![deactivated(CAT), invited(INVITATION)]).when((by(DAN), accept())).then_expect_events(vec![
        WorkspaceEvent::MemberJoined { user_id: DAN, role: Role::Guest, invitation_id: Some(INVITATION), invited_by: Some(BOB) },
    ]);
}

#[test]
fn an_invitation_that_is_not_there_cannot_be_accepted() {
    Given::with(()).given(acme()).when((by(DAN), accept())).then_expect_error(WorkspaceRefusal::InvitationNotFound);
}

#[test]
fn an_invitation_is_accepted_once() {
    let joined = WorkspaceEvent::MemberJoined { user_id: DAN, role: Role::Guest, invitation_id: Some(INVITATION), invited_by: Some(BOB) };
    Given::with(())
        .given(acme())
        .and(vec![invited(INVITATION), joined])
        .when((by(DAN), accept()))
        .then_expect_error(WorkspaceRefusal::InvitationNotFound);
}

#[test]
fn an_expired_invitation_cannot_be_accepted() {
    Given::with(())
        .given(acme())
        .and(vec![invited(INVITATION)])
        .when((by_at(DAN, days_later(7)), accept()))
        .then_expect_error(WorkspaceRefusal::InvitationExpired);
}

#[test]
fn a_member_cannot_accept_an_invitation() {
    Given::with(())
        .given(acme())
        .and(vec![invited(INVITATION)])
        .when((by(CAT), accept()))
        .then_expect_error(WorkspaceRefusal::MemberAlready);
}

#[test]
fn a_deactivated_member_is_told_to_ask_for_reactivation() {
    Given::with(())
        .given(acme())
        .and(vec![deactivated(CAT), invited(INVITATION)])
        .when((by(CAT), accept()))
        .then_expect_error(WorkspaceRefusal::ReactivationNeeded);
}

#[test]
fn nobody_joins_a_full_workspace() {
    Given::with(()).given(acme()).and(vec![invited(INVITATION)]).when((by(DAN), accept())).then_expect_error(WorkspaceRefusal::Full);
}

#[test]
fn an_invitation_is_revoked() {
    Given::with(())
        .given(acme())
        .and(vec![invited(INVITATION)])
        .when((by(BOB), WorkspaceCommand::RevokeInvitation { invitation_id: INVITATION }))
        .then_expect_events(vec![WorkspaceEvent::InvitationRevoked { invitation_id: INVITATION }]);
}

#[test]
fn an_invitation_that_is_not_there_cannot_be_revoked() {
    Given::with(())
        .given(acme())
        .when((by(BOB), WorkspaceCommand::RevokeInvitation { invitation_id: INVITATION }))
        .then_expect_error(WorkspaceRefusal::InvitationNotFound);
}

/// A number of invitations of one member, which expire after some days.
fn invitations(from: usize, count: usize, invited_by: UserId, days: i64) -> Vec<WorkspaceEvent> {
    let invited = |n: usize| WorkspaceEvent::MemberInvited {
        invitation_id: InvitationId(uuid::Uuid::from_u128(0x1000 + n as u128)),
        email: Email::parse(&format!("invited-{n}@example.org")).expect("an address"),
        role: Role::Guest,
        invited_by,
        expires_at: days_later(days),
    };
    (from..from + count).map(invited).collect()
}

#[test]
fn open_invitations_of_a_member_above_the_limit_are_refused() {
    let one_more = || (by_at(BOB, days_later(8)), invite("dan@example.org", Role::Member, days_later(9)));
    let open = |count| [acme(), invitations(0, count, BOB, 30)].concat();
    let refused = WorkspaceRefusal::TooManyInvitationsByYou(INVITATIONS_EACH_MAX);
    Given::with(()).given(open(INVITATIONS_EACH_MAX)).when(one_more()).then_expect_error(refused);
    // Invitations of other members and expired invitations do not count.
    let others = [acme(), invitations(0, INVITATIONS_EACH_MAX, ANN, 30), invitations(1000, INVITATIONS_EACH_MAX, BOB, 7)].concat();
    for given in [open(INVITATIONS_EACH_MAX - 1), others] {
        assert!(given.into_iter().fold(Workspace::default(), folded).decide(&one_more().0, one_more().1).is_ok());
    }
}

#[test]
fn open_and_expired_invitations_of_a_workspace_above_the_limits_are_refused() {
    let one_more = || (by_at(BOB, days_later(8)), invite("dan@example.org", Role::Member, days_later(9)));
    let open = [acme(), invitations(0, INVITATIONS_MAX, CAT, 30)].concat();
    Given::with(()).given(open).when(one_more()).then_expect_error(WorkspaceRefusal::TooManyInvitations(INVITATIONS_MAX));
    let expired = [acme(), invitations(0, INVITATIONS_KEPT_MAX, CAT, 7)].concat();
    Given::with(()).given(expired).when(one_more()).then_expect_error(WorkspaceRefusal::TooManyInvitationsKept(INVITATIONS_KEPT_MAX));
}

fn folded(mut workspace: Workspace, event: WorkspaceEvent) -> Workspace {
    cqrs_es::Aggregate::apply(&mut workspace, event);
    workspace
}
