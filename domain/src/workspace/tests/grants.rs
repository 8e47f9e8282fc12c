//! The rule of rank and permissions: no member gives what they lack, and no member changes a member who ranks above
//! them.

use super::{ANOTHER_INVITATION, Given, INVITATION, accept, acme, created, deactivated, details, invite, joined};
use crate::ids::{InvitationId, UserId};
use crate::permission::{Permission, Role};
use crate::test_data::{ANN, BOB, CAT, DAN, by, by_at, days_later};
use crate::text::{Email, Title};
use crate::workspace::{Workspace, WorkspaceCommand, WorkspaceEvent, WorkspaceRefusal};

fn permissions(user_id: UserId, permissions: &[(Permission, bool)]) -> WorkspaceEvent {
    WorkspaceEvent::MemberPermissionsChanged { user_id, permissions: permissions.iter().copied().collect() }
}

fn role(user_id: UserId, role: Role) -> WorkspaceEvent {
    WorkspaceEvent::MemberRoleChanged { user_id, role }
}

fn change_role(user_id: UserId, role: Role) -> WorkspaceCommand {
    WorkspaceCommand::ChangeMemberRole { user_id, role }
}

fn invited(invitation_id: InvitationId, invited_by: UserId, role: Role) -> WorkspaceEvent {
    let email = Email::parse("eve@example.org").expect("an address");
    WorkspaceEvent::MemberInvited { invitation_id, email, role, invited_by, expires_at: days_later(30) }
}

fn revoked(invitation_id: InvitationId) -> WorkspaceEvent {
    WorkspaceEvent::InvitationRevoked { invitation_id }
}

/// Cat, a member, may manage members and invite. Dan is a guest.
fn with_a_manager() -> Vec<WorkspaceEvent> {
    let managing = [(Permission::MemberManage, true), (Permission::MemberInvite, true)];
    let people = [created(9), joined(ANN, Role::Owner), joined(BOB, Role::Admin), joined(CAT, Role::Member), joined(DAN, Role::Guest)];
    people.into_iter().chain([permissions(CAT, &managing)]).collect()
}

/// Bob, an admin, may not read the audit.
fn with_a_weaker_admin() -> Vec<WorkspaceEvent> {
    let people = [created(9), joined(ANN, Role::Owner), joined(BOB, Role::Admin), joined(CAT, Role::Member), joined(DAN, Role::Admin)];
    people.into_iter().chain([permissions(BOB, &[(Permission::AuditRead, false)])]).collect()
}

#[test]
fn a_member_who_manages_members_makes_nobody_an_admin_and_changes_no_admin() {
    let cases = [
        (change_role(CAT, Role::Admin), WorkspaceRefusal::RoleBeyondOwn),
        (change_role(DAN, Role::Admin), WorkspaceRefusal::RoleBeyondOwn),
        (change_role(CAT, Role::Owner), WorkspaceRefusal::OwnersOnly),
        (change_role(BOB, Role::Guest), WorkspaceRefusal::RankAboveOwn),
        (change_role(ANN, Role::Guest), WorkspaceRefusal::OwnersOnly),
        (WorkspaceCommand::DeactivateMember { user_id: BOB }, WorkspaceRefusal::RankAboveOwn),
        (
            WorkspaceCommand::ChangeMemberDetails { user_id: BOB, title: Title::parse("Fool").ok(), department: None },
            WorkspaceRefusal::RankAboveOwn,
        ),
        (
            WorkspaceCommand::ChangeMemberPermissions { user_id: BOB, permissions: [(Permission::MessagePost, false)].into() },
            WorkspaceRefusal::RankAboveOwn,
        ),
        (
            WorkspaceCommand::ChangeMemberPermissions { user_id: CAT, permissions: [(Permission::AuditRead, true)].into() },
            WorkspaceRefusal::PermissionBeyondOwn,
        ),
    ];
    for (command, refusal) in cases {
        Given::with(()).given(with_a_manager()).when((by(CAT), command)).then_expect_error(refusal);
    }
    Given::with(())
        .given(with_a_manager())
        .when((by(CAT), change_role(DAN, Role::Member)))
        .then_expect_events(vec![role(DAN, Role::Member)]);
    Given::with(())
        .given(with_a_manager())
        .when((by(CAT), WorkspaceCommand::DeactivateMember { user_id: DAN }))
        .then_expect_events(vec![deactivated(DAN)]);
}

#[test]
fn everybody_may_step_down_and_the_step_cannot_be_taken_back_alone() {
    Given::with(()).given(acme()).when((by(BOB), change_role(BOB, Role::Member))).then_expect_events(vec![role(BOB, Role::Member)]);
    Given::with(())
        .given(acme())
        .and(vec![role(BOB, Role::Member)])
        .when((by(BOB), change_role(BOB, Role::Admin)))
        .then_expect_error(WorkspaceRefusal::RoleBeyondOwn);
}

#[test]
fn an_admin_without_a_permission_promotes_nobody_into_it_unless_it_is_denied_to_them_too() {
    let promote = || change_role(CAT, Role::Admin);
    Given::with(()).given(with_a_weaker_admin()).when((by(BOB), promote())).then_expect_error(WorkspaceRefusal::PermissionBeyondOwn);
    Given::with(())
        .given(with_a_weaker_admin())
        .and(vec![permissions(CAT, &[(Permission::AuditRead, false)])])
        .when((by(BOB), promote()))
        .then_expect_events(vec![role(CAT, Role::Admin)]);
}

#[test]
fn a_weaker_admin_does_not_change_a_stronger_one_who_may_change_them() {
    let shut_out = |user_id| WorkspaceCommand::DeactivateMember { user_id };
    Given::with(()).given(with_a_weaker_admin()).when((by(BOB), shut_out(DAN))).then_expect_error(WorkspaceRefusal::RankAboveOwn);
    Given::with(()).given(with_a_weaker_admin()).when((by(DAN), shut_out(BOB))).then_expect_events(vec![deactivated(BOB)]);
}

#[test]
fn nobody_invites_above_their_rank_or_into_what_they_lack() {
    let invite = |role| invite("eve@example.org", role, days_later(1));
    for role in [Role::Admin, Role::Member] {
        Given::with(())
            .given(with_a_manager())
            .and(vec![permissions(DAN, &[(Permission::MemberInvite, true)])])
            .when((by(DAN), invite(role)))
            .then_expect_error(WorkspaceRefusal::RoleBeyondOwn);
    }
    Given::with(()).given(with_a_manager()).when((by(CAT), invite(Role::Admin))).then_expect_error(WorkspaceRefusal::RoleBeyondOwn);
    Given::with(())
        .given(with_a_weaker_admin())
        .when((by(BOB), invite(Role::Admin)))
        .then_expect_error(WorkspaceRefusal::PermissionBeyondOwn);
    for actor in [UserId::SYSTEM, ANN] {
        let given = vec![created(9), joined(ANN, Role::Owner), joined(BOB, Role::Owner), deactivated(ANN)];
        Given::with(()).given(given).when((by(actor), invite(Role::Guest))).then_expect_error(WorkspaceRefusal::PermissionBeyondOwn);
    }
}

#[test]
fn reactivation_gives_anew_what_the_member_had() {
    let reactivate = || WorkspaceCommand::ReactivateMember { user_id: CAT };
    let given =
        || Given::with(()).given(with_a_weaker_admin()).and(vec![permissions(CAT, &[(Permission::AuditRead, true)]), deactivated(CAT)]);
    given().when((by(BOB), reactivate())).then_expect_error(WorkspaceRefusal::PermissionBeyondOwn);
    given().when((by(DAN), reactivate())).then_expect_events(vec![WorkspaceEvent::MemberReactivated { user_id: CAT }]);
    Given::with(())
        .given(with_a_manager())
        .and(vec![deactivated(BOB)])
        .when((by(CAT), WorkspaceCommand::ReactivateMember { user_id: BOB }))
        .then_expect_error(WorkspaceRefusal::RankAboveOwn);
}

#[test]
fn an_invitation_ends_with_the_membership_the_role_or_the_permission_of_its_inviter() {
    let given = || {
        let invitations = vec![invited(INVITATION, BOB, Role::Admin), invited(ANOTHER_INVITATION, BOB, Role::Guest)];
        Given::with(()).given(acme()).and(invitations)
    };
    given().when((by(ANN), WorkspaceCommand::DeactivateMember { user_id: BOB })).then_expect_events(vec![
        deactivated(BOB),
        revoked(INVITATION),
        revoked(ANOTHER_INVITATION),
    ]);
    given().when((by(ANN), change_role(BOB, Role::Member))).then_expect_events(vec![
        role(BOB, Role::Member),
        revoked(INVITATION),
        revoked(ANOTHER_INVITATION),
    ]);
    let denied = [(Permission::AuditRead, false)];
    given()
        .when((by(ANN), WorkspaceCommand::ChangeMemberPermissions { user_id: BOB, permissions: denied.into() }))
        .then_expect_events(vec![permissions(BOB, &denied), revoked(INVITATION)]);
}

#[test]
fn the_invitations_of_an_owner_who_hands_over_stay_as_far_as_an_admin_may_give_them() {
    let denied = permissions(ANN, &[(Permission::AuditRead, false)]);
    let given = vec![denied, invited(INVITATION, ANN, Role::Admin), invited(ANOTHER_INVITATION, ANN, Role::Guest)];
    Given::with(())
        .given(acme())
        .and(given)
        .when((by(ANN), WorkspaceCommand::HandOver { to: CAT }))
        .then_expect_events(vec![WorkspaceEvent::HandedOver { from: ANN, to: CAT }, revoked(INVITATION)]);
}

/// Logs from before this rule have open invitations whose inviters lack the right to give them.
#[test]
fn an_invitation_counts_as_far_as_its_inviter_could_give_it_when_it_is_accepted() {
    let refused = [
        vec![deactivated(BOB)],
        vec![role(BOB, Role::Member)],
        vec![permissions(BOB, &[(Permission::MemberInvite, false)])],
        vec![permissions(BOB, &[(Permission::AuditRead, false)])],
    ];
    for since in refused {
        Given::with(())
            .given(with_a_manager())
            .and(vec![invited(INVITATION, BOB, Role::Admin)])
            .and(since)
            .when((by_at(UserId(uuid::Uuid::from_u128(0xe)), days_later(1)), accept()))
            .then_expect_error(WorkspaceRefusal::InvitationEnded);
    }
}

#[test]
fn an_account_that_is_no_more_leaves_its_workspaces_and_its_invitations_end() {
    let mut workspace = Workspace::default();
    let history = acme().into_iter().chain([invited(INVITATION, BOB, Role::Guest)]);
    history.for_each(|event| cqrs_es::Aggregate::apply(&mut workspace, event));
    assert_eq!(workspace.end_membership(BOB), [deactivated(BOB), revoked(INVITATION)]);
    assert_eq!(workspace.end_membership(DAN), []);
    assert_eq!(workspace.details, Some(details("Acme")));
}

/// They would keep the permission after a change of their role.
#[test]
fn an_admin_grants_themselves_nothing_outright_and_an_owner_does() {
    let grant = |user_id| WorkspaceCommand::ChangeMemberPermissions { user_id, permissions: [(Permission::AuditRead, true)].into() };
    Given::with(()).given(acme()).when((by(BOB), grant(BOB))).then_expect_error(WorkspaceRefusal::PermissionToOneself);
    let granted = permissions(ANN, &[(Permission::AuditRead, true)]);
    Given::with(()).given(acme()).when((by(ANN), grant(ANN))).then_expect_events(vec![granted]);
    // They keep a permission that an owner granted them, and may give it up.
    let given = || Given::with(()).given(acme()).and(vec![permissions(BOB, &[(Permission::AuditRead, true)])]);
    given().when((by(BOB), grant(BOB))).then_expect_events(vec![]);
    let given_up = WorkspaceCommand::ChangeMemberPermissions { user_id: BOB, permissions: [].into() };
    given().when((by(BOB), given_up)).then_expect_events(vec![permissions(BOB, &[])]);
}
