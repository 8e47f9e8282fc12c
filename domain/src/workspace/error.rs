//! The refusals of workspace commands.

use crate::ids::HoldId;
use crate::refusal::{OutOfRange, refusals};

refusals! {
    /// The refusals of workspace commands.
    WorkspaceRefusal {
        CreatedAlready = "workspace.created_already" Conflict "this workspace exists already",
        TooManyCreated(max: u32) = "workspace.too_many_created" Conflict
            "you have created {0} workspaces, which is the most for one user: use one of them, or ask an operator of the server for another",
        NotFound = "workspace.not_found" NotFound "there is no such workspace",
        SettingsInvalid(wrong: OutOfRange) = "workspace.settings_invalid" Invalid(wrong.field) "{0}",
        InvitedAlready = "workspace.invited_already" Conflict
            "this address has an invitation that can still be accepted: revoke that one first",
        InvitedMember = "workspace.invited_member" Conflict
            "this address belongs to a member of this workspace: change their role instead, if they need another one",
        InvitedDeactivated = "workspace.invited_deactivated" Conflict
            "this address belongs to a member who was deactivated or has left: reactivate them instead",
        OwnerNotInvited = "workspace.owner_not_invited" Invalid("role")
            "nobody can be invited as an owner: invite the person with another role, and change it once they have joined",
        TooManyInvitations(max: usize) = "workspace.too_many_invitations" Conflict
            "this workspace has {0} open invitations, which is the most: wait until some are accepted or expire, or revoke some",
        TooManyInvitationsByYou(max: usize) = "workspace.too_many_invitations_by_you" Conflict
            "you have {0} open invitations to this workspace, which is the most for one member: wait until some are accepted or expire, or revoke some",
        TooManyInvitationsKept(max: usize) = "workspace.too_many_invitations_kept" Conflict
            "this workspace keeps {0} invitations that nobody accepted, which is the most: revoke those that have expired",
        TooManyHolds(max: usize) = "workspace.too_many_holds" Conflict
            "this workspace has {0} legal holds, which is the most: release those that are not needed any more",
        InvitationExpiryInvalid = "workspace.invitation_expiry_invalid" Invalid("expires_at")
            "an invitation must expire in the future, and within 90 days",
        InvitationNotFound = "workspace.invitation_not_found" NotFound
            "there is no such invitation: it was accepted or revoked, or never existed",
        InvitationExpired = "workspace.invitation_expired" Conflict "this invitation has expired: ask for a new one",
        InvitationEnded = "workspace.invitation_ended" Conflict
            "the member who invited you can no longer give this role: ask for a new invitation",
        MemberAlready = "workspace.member_already" Conflict "you are a member of this workspace already",
        IsMemberAlready = "workspace.is_member_already" Conflict
            "this user is an active member of this workspace already: change their role instead, if they need another one",
        WasMember = "workspace.was_member" Conflict "this user was a member and was deactivated, or has left: reactivate them instead",
        InvitationOfAnother = "workspace.invitation_of_another" Forbidden
            "this invitation is for another email address: register with the address that was invited",
        ReactivationNeeded = "workspace.reactivation_needed" Conflict
            "you were a member and were deactivated: ask an admin of the workspace to reactivate you",
        Full = "workspace.full" Conflict
            "this workspace has reached its limit of active members: deactivate a member first",
        MemberNotFound = "workspace.member_not_found" NotFound "there is no such member in this workspace",
        MemberDeactivated = "workspace.member_deactivated" Conflict "this member is deactivated: reactivate them first",
        OwnersOnly = "workspace.owners_only" Forbidden "only an owner may do that, because it concerns an owner",
        LastOwner = "workspace.last_owner" Conflict
            "a workspace always has an owner: hand it over, or make another member an owner first",
        PermissionBeyondOwn = "workspace.permission_beyond_own" Forbidden
            "you cannot give others a permission that you do not have yourself",
        PermissionToOneself = "workspace.permission_to_oneself" Forbidden
            "you cannot grant yourself a permission, because you would keep it after your role changes: ask an owner of the workspace",
        RoleBeyondOwn = "workspace.role_beyond_own" Forbidden
            "you cannot give others a role that is above your own: ask a member who has that role",
        RankAboveOwn = "workspace.rank_above_own" Forbidden
            "this member ranks above you, or has permissions that you lack: ask an owner of the workspace",
        HandOverNotGranted = "workspace.hand_over_not_granted" Invalid("permissions")
            "workspace.hand_over belongs to owners and cannot be granted: make the member an owner instead",
        HandOverToSelf = "workspace.hand_over_to_self" Invalid("to") "you own this workspace already: hand it over to another member",
        HandOverToGuest = "workspace.hand_over_to_guest" Conflict
            "a guest cannot become the owner: change their role to member first",
        HoldTargetNotFound = "workspace.hold_target_not_found" NotFound "there is no such channel or member in this workspace to hold",
        HoldNotFound = "workspace.hold_not_found" NotFound "there is no such legal hold: it was released, or never existed",
        Held(hold: HoldId) = "workspace.held" Conflict
            "the legal hold {0} covers this: nothing of it is archived, purged or erased until the hold is released",
        TooManyEmojis(max: usize) = "workspace.too_many_emojis" Conflict
            "the workspace has {0} emojis of its own, which is the most: remove one first",
    }
}
