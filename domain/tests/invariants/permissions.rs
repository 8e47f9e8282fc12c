//! The invariant of permissions: no group of users, in any order of commands, gets a permission that no member of the
//! group had.

use std::sync::LazyLock;

use chrono::TimeDelta;
use cqrs_es::Aggregate;
use domain::ids::{ChannelId, InvitationId, UserId};
use domain::permission::{self, Overrides, Permission, Role};
use domain::text::{Email, WorkspaceName};
use domain::workspace::{Details, Member};
use domain::{Context, Workspace, WorkspaceCommand, WorkspaceEvent};
use proptest::prelude::*;
use proptest::test_runner::Config;
use uuid::Uuid;

use crate::walk::{beginning, user};

/// How many sequences are tried.
const SEQUENCES: u32 = 10_000;
/// The most commands of a sequence.
const STEPS_MAX: usize = 40;
/// The owner, an admin, a member, a guest, and three people who can join only by invitation.
const PEOPLE: usize = 7;
/// How many invitations there can be.
const INVITATIONS: u64 = 6;

static EMAILS: LazyLock<Vec<Email>> =
    LazyLock::new(|| (0..INVITATIONS).map(|n| Email::parse(&format!("i{n}@example.org")).expect("an address")).collect());

/// Draws small numbers from a random one.
struct Dice(u64);

impl Dice {
    fn up_to(&mut self, sides: u64) -> u64 {
        let face = self.0 % sides;
        self.0 /= sides;
        face
    }

    fn person(&mut self) -> UserId {
        user(1 + u128::from(self.up_to(PEOPLE as u64)))
    }

    fn role(&mut self) -> Role {
        Role::ALL[usize::try_from(self.up_to(4)).expect("a small number")]
    }

    fn overrides(&mut self) -> Overrides {
        let count = self.up_to(3);
        let permission =
            |dice: &mut Self| Permission::ALL[usize::try_from(dice.up_to(Permission::ALL.len() as u64)).expect("a small number")];
        (0..count).map(|_| (permission(self), self.up_to(2) == 0)).collect()
    }

    fn invitation(&mut self) -> InvitationId {
        InvitationId(Uuid::from_u128(u128::from(self.up_to(INVITATIONS))))
    }

    fn command(&mut self) -> WorkspaceCommand {
        let user_id = self.person();
        match self.up_to(12) {
            0..=2 => WorkspaceCommand::ChangeMemberRole { user_id, role: self.role() },
            3..=5 => WorkspaceCommand::ChangeMemberPermissions { user_id, permissions: self.overrides() },
            6 | 7 => {
                let invitation_id = self.invitation();
                let email = EMAILS[usize::try_from(invitation_id.0.as_u128()).expect("a small number")].clone();
                let expires_at = beginning() + TimeDelta::days(20 + 20 * i64::from(self.up_to(2) == 0));
                WorkspaceCommand::Invite { invitation_id, email, role: self.role(), expires_at }
            }
            8 | 9 => WorkspaceCommand::AcceptInvitation { invitation_id: self.invitation() },
            10 => WorkspaceCommand::DeactivateMember { user_id },
            _ => match self.up_to(4) {
                0 => WorkspaceCommand::HandOver { to: user_id },
                _ => WorkspaceCommand::ReactivateMember { user_id },
            },
        }
    }
}

/// A workspace whose owner has granted and denied its members some permissions.
fn founded(dice: &mut Dice) -> Workspace {
    let mut workspace = Workspace::default();
    let details = Details { name: WorkspaceName::parse("Acme").expect("a name"), description: None, avatar_url: None };
    workspace.apply(WorkspaceEvent::Created { details, domain: None, general_channel_id: ChannelId(Uuid::nil()), max_members: 100 });
    for (number, role) in [(1, Role::Owner), (2, Role::Admin), (3, Role::Member), (4, Role::Guest)] {
        let user_id = user(number);
        workspace.apply(WorkspaceEvent::MemberJoined { user_id, role, invitation_id: None, invited_by: None });
        let mut permissions = dice.overrides();
        permissions.remove(&Permission::WorkspaceHandOver);
        // Without these two permissions, only owners and admins could do much.
        permissions.entry(Permission::MemberManage).or_insert(dice.up_to(2) == 0);
        permissions.entry(Permission::MemberInvite).or_insert(dice.up_to(2) == 0);
        workspace.apply(WorkspaceEvent::MemberPermissionsChanged { user_id, permissions });
    }
    workspace
}

/// The permissions of each person, as bits.
fn permissions(workspace: &Workspace) -> [u32; PEOPLE] {
    std::array::from_fn(|index| {
        let has = |permission: &Permission| u32::from(workspace.allows(user(1 + index as u128), *permission));
        Permission::ALL.iter().enumerate().map(|(place, permission)| has(permission) << place).sum()
    })
}

fn index(user_id: UserId) -> usize {
    usize::try_from(user_id.0.as_u128() - 1).expect("a small number")
}

fn is_owner(workspace: &Workspace, user_id: UserId) -> bool {
    workspace.active_member(user_id).is_some_and(|member| member.role == Role::Owner)
}

/// The member who gives the role or the permissions of the command.
fn giver(before: &Workspace, actor: UserId, command: &WorkspaceCommand) -> UserId {
    match command {
        WorkspaceCommand::AcceptInvitation { invitation_id } => before.invitations.get(invitation_id).map_or(actor, |i| i.invited_by),
        _ => actor,
    }
}

fn each_gain_comes_from_an_owner_or_of_ones_own(before: &Workspace, after: &Workspace, giver: UserId) -> Result<(), TestCaseError> {
    let (had, has) = (permissions(before), permissions(after));
    for person in 0..PEOPLE {
        let beyond = has[person] & !had[person] & !had[index(giver)];
        prop_assert!(beyond == 0 || is_owner(before, giver), "person {} got {beyond:b} of {giver}, who lacks it", person + 1);
    }
    Ok(())
}

/// Checks that no group without an owner, which can do this step alone, has more permissions together than before.
fn no_set_has_more_together(before: &Workspace, after: &Workspace, actor: UserId, giver: UserId) -> Result<(), TestCaseError> {
    let (had, has) = (permissions(before), permissions(after));
    let together =
        |set: usize, of: &[u32; PEOPLE]| (0..PEOPLE).filter(|person| set & (1 << person) != 0).fold(0, |sum, person| sum | of[person]);
    let owners = (0..PEOPLE).filter(|person| is_owner(before, user(1 + *person as u128))).fold(0, |set, person| set | (1 << person));
    let acting = (1 << index(actor)) | (1 << index(giver));
    for set in (0..1_usize << PEOPLE).filter(|set| set & acting == acting && set & owners == 0) {
        let more = together(set, &has) & !together(set, &had);
        prop_assert_eq!(more, 0, "the set {:b} has more than before", set);
    }
    Ok(())
}

/// Checks that a member who was changed by another member did not rank above them.
fn nobody_above_was_changed(before: &Workspace, after: &Workspace, actor: UserId) -> Result<(), TestCaseError> {
    for (user_id, was) in before.members.iter().filter(|(user_id, _)| **user_id != actor) {
        let is_changed = after.members.get(user_id) != Some(was);
        let ranks = before.active_member(actor).is_some_and(|member| member.role >= was.role);
        prop_assert!(!is_changed || ranks, "{user_id}, who is {:?}, was changed by {actor}", was.role);
    }
    Ok(())
}

/// Checks that the inviter of each open invitation could still give it now.
fn no_invitation_outlives_its_inviter(after: &Workspace) -> Result<(), TestCaseError> {
    let allows = |member: &Member, permission| permission::allows(member.role, &member.permissions, permission);
    for invitation in after.invitations.values() {
        let inviter = after.active_member(invitation.invited_by);
        let stands = inviter.is_some_and(|inviter| {
            let gives = |permission: &Permission| !permission.granted_to(invitation.role) || allows(inviter, *permission);
            let may_give = inviter.role == Role::Owner || (inviter.role >= invitation.role && Permission::ALL.iter().all(gives));
            may_give && allows(inviter, Permission::MemberInvite)
        });
        prop_assert!(stands, "an invitation outlives its inviter: {invitation:?} of {inviter:?}");
    }
    Ok(())
}

fn walk(seed: u64, steps: Vec<u64>) -> Result<(), TestCaseError> {
    let mut workspace = founded(&mut Dice(seed));
    for (hour, step) in (0_i64..).zip(steps) {
        let mut dice = Dice(step);
        let actor = dice.person();
        let command = dice.command();
        let context = Context::of(actor, beginning() + TimeDelta::hours(hour), Uuid::nil());
        let Ok(events) = workspace.decide(&context, command.clone()) else { continue };
        if events.is_empty() {
            continue;
        }
        let before = workspace.clone();
        events.into_iter().for_each(|event| workspace.apply(event));
        let giver = giver(&before, actor, &command);
        if permissions(&before) != permissions(&workspace) {
            each_gain_comes_from_an_owner_or_of_ones_own(&before, &workspace, giver)?;
            no_set_has_more_together(&before, &workspace, actor, giver)?;
        }
        // A user who accepts an invitation changes only themselves.
        nobody_above_was_changed(&before, &workspace, actor)?;
        no_invitation_outlives_its_inviter(&workspace)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(Config::with_cases(SEQUENCES))]
    #[test]
    fn no_set_of_people_ever_gets_a_permission_that_none_of_them_had_and_no_owner_gave(
        seed in any::<u64>(),
        steps in prop::collection::vec(any::<u64>(), 0..STEPS_MAX),
    ) {
        walk(seed, steps)?;
    }
}
