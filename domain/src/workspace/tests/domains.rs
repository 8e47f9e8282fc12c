//! The domain, and what the server itself does for its operators.

use super::{Given, INVITATION, acme, created, deactivated, invited, joined};
use crate::ids::UserId;
use crate::permission::Role;
use crate::test_data::{ANN, BOB, CAT, DAN, by, by_at, days_later, now};
use crate::text::{Email, WorkspaceDomain};
use crate::workspace::{Workspace, WorkspaceCommand, WorkspaceEvent, WorkspaceRefusal};

fn domain(text: &str) -> Option<WorkspaceDomain> {
    Some(WorkspaceDomain::parse(text).expect("a domain"))
}

#[test]
fn a_domain_is_changed_and_removed() {
    let change = |domain| (by(ANN), WorkspaceCommand::ChangeDomain { domain });
    let changed = |domain| WorkspaceEvent::DomainChanged { domain };
    let other = || domain("acme.example.com");
    Given::with(()).given(acme()).when(change(other())).then_expect_events(vec![changed(other())]);
    Given::with(()).given(acme()).when(change(None)).then_expect_events(vec![changed(None)]);
    Given::with(()).given(acme()).when(change(domain("acme.example.org"))).then_expect_events(vec![]);
    Given::with(()).given(acme()).and(vec![changed(other())]).when(change(other())).then_expect_events(vec![]);
    Given::with(()).given(acme()).and(vec![changed(None)]).when(change(None)).then_expect_events(vec![]);
}

#[test]
fn the_server_adds_a_member_with_any_role_once_while_there_is_room() {
    let add = |role| (by(UserId::SYSTEM), WorkspaceCommand::AddMember { user_id: DAN, role });
    let given = || Given::with(()).given(vec![created(2), joined(ANN, Role::Owner)]);
    for role in [Role::Owner, Role::Admin, Role::Member, Role::Guest] {
        given().when(add(role)).then_expect_events(vec![joined(DAN, role)]);
    }
    given().and(vec![joined(BOB, Role::Member)]).when(add(Role::Member)).then_expect_error(WorkspaceRefusal::Full);
    for (actor, refusal) in [(ANN, WorkspaceRefusal::OwnersOnly), (DAN, WorkspaceRefusal::OwnersOnly)] {
        let add = (by(actor), WorkspaceCommand::AddMember { user_id: DAN, role: Role::Owner });
        given().and(vec![joined(BOB, Role::Owner), deactivated(ANN)]).when(add).then_expect_error(refusal);
    }
    let member = || vec![joined(DAN, Role::Member)];
    given().and(member()).when(add(Role::Member)).then_expect_error(WorkspaceRefusal::IsMemberAlready);
    given().and(member()).and(vec![deactivated(DAN)]).when(add(Role::Member)).then_expect_error(WorkspaceRefusal::WasMember);
}

#[test]
fn the_server_changes_every_role_and_membership_but_not_the_last_owners() {
    let server = || by(UserId::SYSTEM);
    let role = |user_id, role| WorkspaceCommand::ChangeMemberRole { user_id, role };
    let changed = WorkspaceEvent::MemberRoleChanged { user_id: CAT, role: Role::Owner };
    Given::with(()).given(acme()).when((server(), role(CAT, Role::Owner))).then_expect_events(vec![changed]);
    Given::with(()).given(acme()).when((server(), role(ANN, Role::Member))).then_expect_error(WorkspaceRefusal::LastOwner);
    let deactivate = |user_id| WorkspaceCommand::DeactivateMember { user_id };
    Given::with(()).given(acme()).when((server(), deactivate(BOB))).then_expect_events(vec![deactivated(BOB)]);
    Given::with(()).given(acme()).when((server(), deactivate(ANN))).then_expect_error(WorkspaceRefusal::LastOwner);
    let reactivated = vec![WorkspaceEvent::MemberReactivated { user_id: BOB }];
    let reactivate = (server(), WorkspaceCommand::ReactivateMember { user_id: BOB });
    Given::with(()).given(acme()).and(vec![deactivated(BOB)]).when(reactivate).then_expect_events(reactivated);
}

#[test]
fn a_person_registers_with_an_invitation_of_their_own_while_it_can_be_accepted() {
    let mut workspace = Workspace::default();
    for event in acme().into_iter().chain([invited(INVITATION)]) {
        cqrs_es::Aggregate::apply(&mut workspace, event);
    }
    let email = |text: &str| Email::parse(text).expect("an address");
    let check = |at, email: &Email| workspace.may_register(&by_at(DAN, at), INVITATION, email);
    assert_eq!(check(now(), &email("Dan@Example.org")), Ok(()));
    assert_eq!(check(now(), &email("eve@example.org")), Err(WorkspaceRefusal::InvitationOfAnother));
    assert_eq!(check(days_later(8), &email("dan@example.org")), Err(WorkspaceRefusal::InvitationExpired));
    cqrs_es::Aggregate::apply(&mut workspace, deactivated(BOB));
    let ended = workspace.may_register(&by(DAN), INVITATION, &email("dan@example.org"));
    assert_eq!(ended, Err(WorkspaceRefusal::InvitationEnded));
}
