//! The rules of members: roles, permissions, and the rule that one owner always remains.

use super::{Given, acme, created, deactivated, joined};
use crate::ids::UserId;
use crate::permission::{Overrides, Permission, Role};
use crate::test_data::{ANN, BOB, CAT, DAN, by};
use crate::text::{Department, Title};
use crate::workspace::{WorkspaceCommand, WorkspaceEvent, WorkspaceRefusal};

fn change_role(user_id: UserId, role: Role) -> WorkspaceCommand {
    WorkspaceCommand::ChangeMemberRole { user_id, role }
}

fn role_changed(user_id: UserId, role: Role) -> WorkspaceEvent {
    WorkspaceEvent::MemberRoleChanged { user_id, role }
}

fn change_permissions(user_id: UserId, permissions: &[(Permission, bool)]) -> WorkspaceCommand {
    WorkspaceCommand::ChangeMemberPermissions { user_id, permissions: permissions.iter().copied().collect() }
}

fn permissions_changed(user_id: UserId, permissions: &[(Permission, bool)]) -> WorkspaceEvent {
    WorkspaceEvent::MemberPermissionsChanged { user_id, permissions: permissions.iter().copied().collect() }
}

fn deactivate(user_id: UserId) -> WorkspaceCommand {
    WorkspaceCommand::DeactivateMember { user_id }
}

fn reactivate(user_id: UserId) -> WorkspaceCommand {
    WorkspaceCommand::ReactivateMember { user_id }
}

#[test]
fn an_admin_changes_the_role_of_a_member() {
    Given::with(()).given(acme()).when((by(BOB), change_role(CAT, Role::Admin))).then_expect_events(vec![role_changed(CAT, Role::Admin)]);
}

#[test]
fn an_unchanged_role_is_no_event() {
    Given::with(()).given(acme()).when((by(BOB), change_role(CAT, Role::Member))).then_expect_events(vec![]);
}

#[test]
fn an_owner_makes_another_owner_and_may_then_step_down() {
    Given::with(()).given(acme()).when((by(ANN), change_role(BOB, Role::Owner))).then_expect_events(vec![role_changed(BOB, Role::Owner)]);
    Given::with(())
        .given(acme())
        .and(vec![role_changed(BOB, Role::Owner)])
        .when((by(ANN), change_role(ANN, Role::Member)))
        .then_expect_events(vec![role_changed(ANN, Role::Member)]);
}

#[test]
fn only_an_owner_changes_what_an_owner_is_or_makes_one() {
    for command in [change_role(ANN, Role::Member), change_role(CAT, Role::Owner), change_role(BOB, Role::Owner)] {
        Given::with(()).given(acme()).when((by(BOB), command)).then_expect_error(WorkspaceRefusal::OwnersOnly);
    }
}

#[test]
fn the_last_owner_cannot_step_down() {
    Given::with(()).given(acme()).when((by(ANN), change_role(ANN, Role::Admin))).then_expect_error(WorkspaceRefusal::LastOwner);
}

#[test]
fn a_deactivated_owner_does_not_count_as_one_who_remains() {
    Given::with(())
        .given(acme())
        .and(vec![role_changed(BOB, Role::Owner), deactivated(BOB)])
        .when((by(ANN), change_role(ANN, Role::Admin)))
        .then_expect_error(WorkspaceRefusal::LastOwner);
}

#[test]
fn a_user_who_is_not_a_member_cannot_be_changed() {
    let commands = [
        change_role(DAN, Role::Guest),
        WorkspaceCommand::ChangeMemberDetails { user_id: DAN, title: None, department: None },
        change_permissions(DAN, &[]),
        deactivate(DAN),
        reactivate(DAN),
        WorkspaceCommand::HandOver { to: DAN },
    ];
    for command in commands {
        Given::with(()).given(acme()).when((by(ANN), command)).then_expect_error(WorkspaceRefusal::MemberNotFound);
    }
}

#[test]
fn a_deactivated_member_cannot_be_changed_in_role() {
    Given::with(())
        .given(acme())
        .and(vec![deactivated(CAT)])
        .when((by(ANN), change_role(CAT, Role::Guest)))
        .then_expect_error(WorkspaceRefusal::MemberDeactivated);
}

#[test]
fn title_and_department_are_changed() {
    let (title, department) = (Title::parse("Baker").ok(), Department::parse("Kitchen").ok());
    Given::with(())
        .given(acme())
        .when((by(BOB), WorkspaceCommand::ChangeMemberDetails { user_id: CAT, title: title.clone(), department: department.clone() }))
        .then_expect_events(vec![WorkspaceEvent::MemberDetailsChanged { user_id: CAT, title, department }]);
}

#[test]
fn an_unchanged_title_is_no_event() {
    Given::with(())
        .given(acme())
        .when((by(BOB), WorkspaceCommand::ChangeMemberDetails { user_id: CAT, title: None, department: None }))
        .then_expect_events(vec![]);
}

#[test]
fn an_admin_grants_what_they_have_and_denies_anything() {
    let permissions = [(Permission::MemberInvite, true), (Permission::MessagePost, false)];
    Given::with(())
        .given(acme())
        .when((by(BOB), change_permissions(CAT, &permissions)))
        .then_expect_events(vec![permissions_changed(CAT, &permissions)]);
}

#[test]
fn unchanged_permissions_are_no_event() {
    Given::with(()).given(acme()).when((by(BOB), change_permissions(CAT, &[]))).then_expect_events(vec![]);
}

#[test]
fn an_admin_cannot_grant_what_they_lack() {
    Given::with(())
        .given(acme())
        .and(vec![permissions_changed(BOB, &[(Permission::AuditRead, false)])])
        .when((by(BOB), change_permissions(CAT, &[(Permission::AuditRead, true)])))
        .then_expect_error(WorkspaceRefusal::PermissionBeyondOwn);
}

#[test]
fn an_admin_cannot_lift_what_was_denied_to_themselves() {
    Given::with(())
        .given(acme())
        .and(vec![permissions_changed(BOB, &[(Permission::AuditRead, false)])])
        .when((by(BOB), change_permissions(BOB, &[])))
        .then_expect_error(WorkspaceRefusal::PermissionBeyondOwn);
}

#[test]
fn an_admin_may_keep_what_an_owner_granted_beyond_the_admins_own() {
    let granted = (Permission::AuditRead, true);
    let both = [granted, (Permission::MessagePin, false)];
    Given::with(())
        .given(acme())
        .and(vec![permissions_changed(BOB, &[(Permission::AuditRead, false)]), permissions_changed(CAT, &[granted])])
        .when((by(BOB), change_permissions(CAT, &both)))
        .then_expect_events(vec![permissions_changed(CAT, &both)]);
}

#[test]
fn an_owner_grants_even_what_is_denied_to_them() {
    let permissions = [(Permission::AuditRead, true)];
    Given::with(())
        .given(acme())
        .and(vec![permissions_changed(ANN, &[(Permission::AuditRead, false)])])
        .when((by(ANN), change_permissions(CAT, &permissions)))
        .then_expect_events(vec![permissions_changed(CAT, &permissions)]);
}

#[test]
fn handing_over_cannot_be_granted_by_an_owner_either() {
    Given::with(())
        .given(acme())
        .when((by(ANN), change_permissions(BOB, &[(Permission::WorkspaceHandOver, true)])))
        .then_expect_error(WorkspaceRefusal::HandOverNotGranted);
}

#[test]
fn only_an_owner_changes_the_permissions_of_an_owner() {
    let permissions = [(Permission::AuditRead, false)];
    Given::with(()).given(acme()).when((by(BOB), change_permissions(ANN, &permissions))).then_expect_error(WorkspaceRefusal::OwnersOnly);
    Given::with(())
        .given(acme())
        .when((by(ANN), change_permissions(ANN, &permissions)))
        .then_expect_events(vec![permissions_changed(ANN, &permissions)]);
}

#[test]
fn a_member_is_deactivated_and_keeps_what_they_were() {
    Given::with(()).given(acme()).when((by(BOB), deactivate(CAT))).then_expect_events(vec![deactivated(CAT)]);
}

#[test]
fn deactivating_a_deactivated_member_changes_nothing() {
    Given::with(()).given(acme()).and(vec![deactivated(CAT)]).when((by(BOB), deactivate(CAT))).then_expect_events(vec![]);
}

#[test]
fn only_an_owner_deactivates_an_owner() {
    Given::with(()).given(acme()).when((by(BOB), deactivate(ANN))).then_expect_error(WorkspaceRefusal::OwnersOnly);
    Given::with(())
        .given(acme())
        .and(vec![role_changed(BOB, Role::Owner)])
        .when((by(BOB), deactivate(ANN)))
        .then_expect_events(vec![deactivated(ANN)]);
}

#[test]
fn the_last_owner_cannot_deactivate_themselves() {
    Given::with(()).given(acme()).when((by(ANN), deactivate(ANN))).then_expect_error(WorkspaceRefusal::LastOwner);
}

#[test]
fn a_deactivated_member_is_reactivated() {
    Given::with(())
        .given(acme())
        .and(vec![deactivated(CAT)])
        .when((by(BOB), reactivate(CAT)))
        .then_expect_events(vec![WorkspaceEvent::MemberReactivated { user_id: CAT }]);
}

#[test]
fn reactivating_an_active_member_changes_nothing() {
    Given::with(()).given(acme()).when((by(BOB), reactivate(CAT))).then_expect_events(vec![]);
}

#[test]
fn nobody_is_reactivated_in_a_full_workspace() {
    Given::with(())
        .given(acme())
        .and(vec![deactivated(CAT), joined(DAN, Role::Member)])
        .when((by(BOB), reactivate(CAT)))
        .then_expect_error(WorkspaceRefusal::Full);
}

#[test]
fn only_an_owner_reactivates_an_owner() {
    let given = || vec![created(3), joined(ANN, Role::Owner), joined(BOB, Role::Admin), joined(CAT, Role::Owner), deactivated(CAT)];
    Given::with(()).given(given()).when((by(BOB), reactivate(CAT))).then_expect_error(WorkspaceRefusal::OwnersOnly);
    Given::with(())
        .given(given())
        .when((by(ANN), reactivate(CAT)))
        .then_expect_events(vec![WorkspaceEvent::MemberReactivated { user_id: CAT }]);
}

#[test]
fn an_owner_hands_over_and_becomes_an_admin() {
    let handed_over = WorkspaceEvent::HandedOver { from: ANN, to: CAT };
    Given::with(()).given(acme()).when((by(ANN), WorkspaceCommand::HandOver { to: CAT })).then_expect_events(vec![handed_over.clone()]);
    let mut workspace = super::Workspace::default();
    acme().into_iter().chain([handed_over]).for_each(|event| cqrs_es::Aggregate::apply(&mut workspace, event));
    assert_eq!(workspace.members[&ANN].role, Role::Admin);
    assert_eq!(workspace.members[&CAT].role, Role::Owner);
}

#[test]
fn only_an_owner_hands_over() {
    for actor in [BOB, CAT, DAN] {
        Given::with(())
            .given(acme())
            .when((by(actor), WorkspaceCommand::HandOver { to: CAT }))
            .then_expect_error(WorkspaceRefusal::OwnersOnly);
    }
}

#[test]
fn an_owner_cannot_hand_over_to_themselves() {
    Given::with(())
        .given(acme())
        .when((by(ANN), WorkspaceCommand::HandOver { to: ANN }))
        .then_expect_error(WorkspaceRefusal::HandOverToSelf);
}

#[test]
fn a_guest_cannot_become_the_owner_by_handing_over() {
    Given::with(())
        .given(acme())
        .and(vec![role_changed(CAT, Role::Guest)])
        .when((by(ANN), WorkspaceCommand::HandOver { to: CAT }))
        .then_expect_error(WorkspaceRefusal::HandOverToGuest);
}

#[test]
fn a_deactivated_member_cannot_become_the_owner() {
    Given::with(())
        .given(acme())
        .and(vec![deactivated(CAT)])
        .when((by(ANN), WorkspaceCommand::HandOver { to: CAT }))
        .then_expect_error(WorkspaceRefusal::MemberDeactivated);
}

#[test]
fn a_deactivated_member_is_allowed_nothing() {
    let mut workspace = super::Workspace::default();
    acme().into_iter().for_each(|event| cqrs_es::Aggregate::apply(&mut workspace, event));
    assert!(workspace.allows(CAT, Permission::MessagePost));
    assert!(!workspace.allows(DAN, Permission::MessagePost));
    cqrs_es::Aggregate::apply(&mut workspace, deactivated(CAT));
    assert!(!workspace.allows(CAT, Permission::MessagePost));
    assert_eq!(workspace.members[&CAT].permissions, Overrides::new());
}

#[test]
fn a_member_leaves_once_and_the_last_owner_does_not() {
    let leave = || WorkspaceCommand::Leave;
    Given::with(()).given(acme()).when((by(CAT), leave())).then_expect_events(vec![deactivated(CAT)]);
    Given::with(()).given(acme()).and(vec![deactivated(CAT)]).when((by(CAT), leave())).then_expect_events(vec![]);
    Given::with(()).given(acme()).when((by(ANN), leave())).then_expect_error(WorkspaceRefusal::LastOwner);
    Given::with(())
        .given(acme())
        .and(vec![role_changed(BOB, Role::Owner)])
        .when((by(ANN), leave()))
        .then_expect_events(vec![deactivated(ANN)]);
    Given::with(()).given(acme()).when((by(DAN), leave())).then_expect_error(WorkspaceRefusal::MemberNotFound);
}
