//! The invariants of a workspace.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use domain::ids::{ChannelId, HoldId, InvitationId};
use domain::permission::{Permission, Role};
use domain::retention::RetentionPolicy;
use domain::text::{Email, EmojiName, Reason, Title, WorkspaceDomain, WorkspaceName};
use domain::workspace::{Details, HoldTarget, WorkspaceSettings};
use domain::{Workspace, WorkspaceCommand};
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use crate::walk::{Step, asked, beginning, person, walk};

fn details() -> impl Strategy<Value = Details> {
    select(vec!["Acme", "Beta"]).prop_map(|name| Details {
        name: WorkspaceName::parse(name).expect("a name"),
        description: None,
        avatar_url: None,
    })
}

fn settings() -> impl Strategy<Value = WorkspaceSettings> {
    (prop::option::of(0_u32..3), prop::option::of(0_u64..3)).prop_map(|(days, upload_max_bytes)| WorkspaceSettings {
        retention_policy: days.map(RetentionPolicy::days),
        upload_max_bytes,
        edit_window_minutes: None,
    })
}

fn domain() -> impl Strategy<Value = Option<WorkspaceDomain>> {
    prop::option::of(select(vec!["acme.example.org", "beta.example.org"])).prop_map(|text| WorkspaceDomain::parse(text?).ok())
}

fn role() -> impl Strategy<Value = Role> {
    select(Role::ALL.to_vec())
}

fn invitation() -> impl Strategy<Value = InvitationId> {
    (1_u128..8).prop_map(|n| InvitationId(Uuid::from_u128(n)))
}

fn create() -> impl Strategy<Value = WorkspaceCommand> {
    (details(), 0_u32..5).prop_map(|(details, max_members)| WorkspaceCommand::Create {
        details,
        domain: None,
        general_channel_id: ChannelId(Uuid::nil()),
        max_members,
    })
}

fn invite() -> impl Strategy<Value = WorkspaceCommand> {
    let email = select(vec!["a@example.org", "A@example.org", "b@example.org", "c@example.org"]);
    (invitation(), email, role(), 0_i64..200).prop_map(|(invitation_id, email, role, days)| WorkspaceCommand::Invite {
        invitation_id,
        email: Email::parse(email).expect("an address"),
        role,
        expires_at: beginning() + TimeDelta::days(days),
    })
}

fn overrides() -> impl Strategy<Value = WorkspaceCommand> {
    let permissions = prop::collection::btree_map(select(Permission::ALL.to_vec()), any::<bool>(), 0..4);
    (person(), permissions).prop_map(|(user_id, permissions)| WorkspaceCommand::ChangeMemberPermissions { user_id, permissions })
}

fn member_details() -> impl Strategy<Value = WorkspaceCommand> {
    let title = || Title::parse("Baker").ok();
    person().prop_map(move |user_id| WorkspaceCommand::ChangeMemberDetails { user_id, title: title(), department: None })
}

fn hold() -> impl Strategy<Value = HoldId> {
    (1_u128..4).prop_map(|n| HoldId(Uuid::from_u128(n)))
}

fn reason() -> Reason {
    Reason::parse("a case").expect("a reason")
}

fn place_hold() -> impl Strategy<Value = WorkspaceCommand> {
    let on = prop_oneof![
        Just(HoldTarget::Workspace {}),
        Just(HoldTarget::Channel { channel_id: ChannelId(Uuid::nil()) }),
        person().prop_map(|user_id| HoldTarget::Person { user_id }),
    ];
    (hold(), on).prop_map(|(hold_id, on)| WorkspaceCommand::PlaceHold { hold_id, on, reason: reason() })
}

fn command() -> impl Strategy<Value = WorkspaceCommand> {
    prop_oneof![
        3 => create(),
        1 => details().prop_map(WorkspaceCommand::ChangeDetails),
        1 => settings().prop_map(WorkspaceCommand::ChangeSettings),
        1 => domain().prop_map(|domain| WorkspaceCommand::ChangeDomain { domain }),
        2 => (person(), role()).prop_map(|(user_id, role)| WorkspaceCommand::AddMember { user_id, role }),
        6 => invite(),
        8 => invitation().prop_map(|invitation_id| WorkspaceCommand::AcceptInvitation { invitation_id }),
        1 => invitation().prop_map(|invitation_id| WorkspaceCommand::RevokeInvitation { invitation_id }),
        4 => (person(), role()).prop_map(|(user_id, role)| WorkspaceCommand::ChangeMemberRole { user_id, role }),
        1 => member_details(),
        2 => overrides(),
        3 => person().prop_map(|user_id| WorkspaceCommand::DeactivateMember { user_id }),
        3 => person().prop_map(|user_id| WorkspaceCommand::ReactivateMember { user_id }),
        2 => person().prop_map(|to| WorkspaceCommand::HandOver { to }),
        2 => place_hold(),
        1 => hold().prop_map(|hold_id| WorkspaceCommand::ReleaseHold { hold_id, reason: reason() }),
        1 => Just(WorkspaceCommand::AddEmoji { name: EmojiName::parse("party_parrot").expect("a name") }),
        1 => Just(WorkspaceCommand::RemoveEmoji { name: EmojiName::parse("party_parrot").expect("a name") }),
    ]
}

fn holds(step: &Step<Workspace, WorkspaceCommand>) -> Result<(), TestCaseError> {
    let Step { before, after, context, .. } = step;
    if !after.exists() {
        prop_assert_eq!(after, &Workspace::default());
        return Ok(());
    }
    let active = after.members.values().filter(|m| m.active);
    prop_assert!(active.clone().any(|m| m.role == Role::Owner), "the workspace has no owner");
    prop_assert!(active.count() <= after.max_members as usize, "more active members than there may be");
    prop_assert!(before.members.keys().all(|id| after.members.contains_key(id)), "a member is forgotten");
    let pending = || after.invitations.values().filter(|i| i.expires_at > context.at);
    let addresses = pending().map(|i| i.email.folded()).collect::<BTreeSet<_>>();
    prop_assert_eq!(addresses.len(), pending().count(), "an address is invited twice");
    prop_assert!(after.invitations.values().all(|i| i.role != Role::Owner), "a person is invited as an owner");
    only_owners_make_owners(step)
}

fn only_owners_make_owners(step: &Step<Workspace, WorkspaceCommand>) -> Result<(), TestCaseError> {
    let Step { before, after, context, .. } = step;
    let owner = |workspace: &Workspace, user_id| workspace.active_member(user_id).is_some_and(|m| m.role == Role::Owner);
    let changed = after.members.keys().any(|id| owner(before, *id) != owner(after, *id));
    prop_assert!(!changed || !before.exists() || owner(before, context.actor), "a member who is not an owner changed the owners");
    let granted = after.members.values().any(|m| m.permissions.get(&Permission::WorkspaceHandOver) == Some(&true));
    prop_assert!(!granted, "handing over was granted");
    Ok(())
}

proptest! {
    #[test]
    fn a_workspace_has_an_owner_and_no_more_members_than_it_may(asked in asked(command()), snapshot_at in 0_usize..60) {
        walk(asked, Some(snapshot_at), |_, _| (), |workspace: &Workspace, (), context, command| workspace.decide(context, command), holds)?;
    }
}
