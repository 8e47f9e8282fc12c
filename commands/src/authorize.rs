//! The permissions of commands and of queries. There is one exhaustive match for each kind of command, without `_`.
//!
//! A thing that the actor may not see is reported as not found. So a refusal does not reveal that a private channel
//! exists.

use domain::ids::UserId;
use domain::permission::Permission;
use domain::{
    Channel, ChannelCommand, ChannelRefusal, InstallationCommand, Message, MessageCommand, User, UserCommand, Workspace, WorkspaceCommand,
    WorkspaceRefusal,
};

use domain::channel::{Kind, MemberRole};

use crate::access_refusal::AccessRefusal;
use crate::refusal::CommandRefusal;

/// Checks that the actor exists and is active.
pub(crate) fn active(actor: &User) -> Result<(), AccessRefusal> {
    if actor.is_active() { Ok(()) } else { Err(AccessRefusal::NotActive) }
}

/// Checks that the actor is an operator of this server.
pub(crate) fn operator(actor: &User) -> Result<(), AccessRefusal> {
    if actor.is_operator() { Ok(()) } else { Err(AccessRefusal::NotAnOperator) }
}

/// Checks that the server itself acts: the command line for its operators, or a process.
pub(crate) fn server_itself(actor_id: UserId) -> Result<(), AccessRefusal> {
    if actor_id == UserId::SYSTEM { Ok(()) } else { Err(AccessRefusal::NotAnOperator) }
}

/// Checks that the actor may run the command on `user`.
pub(crate) fn user_command(actor_id: UserId, actor: &User, user_id: UserId, command: &UserCommand) -> Result<(), AccessRefusal> {
    match command {
        UserCommand::Register(_) => Ok(()),
        UserCommand::ChangeProfile(_) | UserCommand::ChangePreferences(_) | UserCommand::ChangeStatus { .. } => {
            if actor_id == user_id {
                active(actor)
            } else {
                Err(AccessRefusal::NotYourself)
            }
        }
        // The user, operators, or owners of a workspace may do this. `erasures` checks it, because it knows the
        // workspaces.
        UserCommand::ProposeErasure { .. } | UserCommand::RequestErasure { .. } | UserCommand::CancelErasure => active(actor),
        // The command line, and the process that carries out erasures.
        UserCommand::MakeOperator | UserCommand::RemoveOperator | UserCommand::ResetPassword | UserCommand::Erase { .. } => {
            server_itself(actor_id)
        }
        UserCommand::Suspend { .. } | UserCommand::Reactivate => server_itself(actor_id).or_else(|_| operator(actor)),
    }
}

/// Checks that the actor may know that the workspace exists.
pub(crate) fn sees_workspace(workspace: &Workspace, actor: UserId) -> Result<(), AccessRefusal> {
    if workspace.active_member(actor).is_some() { Ok(()) } else { Err(AccessRefusal::WorkspaceNotFound) }
}

/// Checks that the actor has the permission.
pub(crate) fn may(workspace: &Workspace, actor: UserId, permission: Permission) -> Result<(), AccessRefusal> {
    sees_workspace(workspace, actor)?;
    if workspace.allows(actor, permission) { Ok(()) } else { Err(AccessRefusal::Forbidden(permission)) }
}

/// Checks that the actor may run the command on the installation: its operators may, and the command line, which acts
/// as the server itself.
pub(crate) fn installation_command(actor_id: UserId, actor: &User, command: &InstallationCommand) -> Result<(), AccessRefusal> {
    match command {
        InstallationCommand::StartReplay(_)
        | InstallationCommand::EndReplay(_)
        | InstallationCommand::SkipEvent(_)
        | InstallationCommand::NoteRetry { .. }
        | InstallationCommand::NoteKeyRotation { .. }
        | InstallationCommand::RemoveClientIds { .. } => {
            if actor_id == UserId::SYSTEM || actor.is_operator() {
                Ok(())
            } else {
                Err(AccessRefusal::NotAnOperator)
            }
        }
    }
}

/// Checks that the server itself may run the command on the workspace for its operators, on the command line.
pub(crate) fn workspace_command_of_the_server(workspace: &Workspace, command: &WorkspaceCommand) -> Result<(), AccessRefusal> {
    if !workspace.exists() {
        return Err(AccessRefusal::WorkspaceNotFound);
    }
    match command {
        WorkspaceCommand::ChangeDetails(_)
        | WorkspaceCommand::ChangeDomain { .. }
        | WorkspaceCommand::ChangePlan { .. }
        | WorkspaceCommand::AddMember { .. }
        | WorkspaceCommand::ChangeMemberRole { .. }
        | WorkspaceCommand::DeactivateMember { .. }
        | WorkspaceCommand::ReactivateMember { .. } => Ok(()),
        // A member does these.
        WorkspaceCommand::Create { .. }
        | WorkspaceCommand::ChangeSettings(_)
        | WorkspaceCommand::Invite { .. }
        | WorkspaceCommand::AcceptInvitation { .. }
        | WorkspaceCommand::RevokeInvitation { .. }
        | WorkspaceCommand::ChangeMemberDetails { .. }
        | WorkspaceCommand::ChangeMemberPermissions { .. }
        | WorkspaceCommand::Leave
        | WorkspaceCommand::HandOver { .. }
        | WorkspaceCommand::PlaceHold { .. }
        | WorkspaceCommand::ReleaseHold { .. }
        | WorkspaceCommand::AddEmoji { .. }
        | WorkspaceCommand::RemoveEmoji { .. } => Err(AccessRefusal::WorkspaceNotFound),
    }
}

/// Checks that the actor may change the domain of the workspace. It leads people to the workspace, so an admin may not.
/// Operators need not be members.
pub(crate) fn change_domain(workspace: &Workspace, actor_id: UserId, actor: &User) -> Result<(), AccessRefusal> {
    if actor_id == UserId::SYSTEM || actor.is_operator() {
        return if workspace.exists() { Ok(()) } else { Err(AccessRefusal::WorkspaceNotFound) };
    }
    active(actor)?;
    sees_workspace(workspace, actor_id)?;
    if workspace.has_owner(actor_id) { Ok(()) } else { Err(AccessRefusal::DomainNotYours) }
}

/// Checks that the actor may run the command on the workspace.
pub(crate) fn workspace_command(workspace: &Workspace, actor: UserId, command: &WorkspaceCommand) -> Result<(), AccessRefusal> {
    match command {
        WorkspaceCommand::Create { .. } => Ok(()),
        // The holder of the invitation's token may do this. The domain checks that the invitation is valid.
        WorkspaceCommand::AcceptInvitation { .. } => {
            if workspace.exists() {
                Ok(())
            } else {
                Err(AccessRefusal::WorkspaceNotFound)
            }
        }
        WorkspaceCommand::ChangeDetails(_) => may(workspace, actor, Permission::WorkspaceUpdate),
        WorkspaceCommand::ChangeSettings(settings) => {
            may(workspace, actor, Permission::WorkspaceSettings)?;
            let stays = settings.retention_policy == workspace.settings.retention_policy;
            if stays { Ok(()) } else { may(workspace, actor, Permission::RetentionManage) }
        }
        // No role in the workspace allows these. Operators may do them by other paths, and need not be members.
        WorkspaceCommand::ChangePlan { .. } | WorkspaceCommand::ChangeDomain { .. } | WorkspaceCommand::AddMember { .. } => {
            Err(AccessRefusal::NotAnOperator)
        }
        WorkspaceCommand::Invite { .. } | WorkspaceCommand::RevokeInvitation { .. } => may(workspace, actor, Permission::MemberInvite),
        WorkspaceCommand::ChangeMemberRole { .. }
        | WorkspaceCommand::ChangeMemberDetails { .. }
        | WorkspaceCommand::ChangeMemberPermissions { .. }
        | WorkspaceCommand::DeactivateMember { .. }
        | WorkspaceCommand::ReactivateMember { .. } => may(workspace, actor, Permission::MemberManage),
        // Every member may leave. A former member may ask again, and nothing changes.
        WorkspaceCommand::Leave => {
            if workspace.members.contains_key(&actor) {
                Ok(())
            } else {
                Err(AccessRefusal::WorkspaceNotFound)
            }
        }
        WorkspaceCommand::HandOver { .. } => may(workspace, actor, Permission::WorkspaceHandOver),
        WorkspaceCommand::PlaceHold { .. } | WorkspaceCommand::ReleaseHold { .. } => may(workspace, actor, Permission::HoldsManage),
        WorkspaceCommand::AddEmoji { .. } | WorkspaceCommand::RemoveEmoji { .. } => may(workspace, actor, Permission::EmojiManage),
    }
}

/// Checks that the actor may create a channel of this kind.
pub(crate) fn create_channel(workspace: &Workspace, actor: UserId, kind: Kind) -> Result<(), AccessRefusal> {
    match kind {
        Kind::Public => may(workspace, actor, Permission::ChannelCreatePublic),
        Kind::Private => may(workspace, actor, Permission::ChannelCreatePrivate),
        Kind::Direct | Kind::GroupDirect => may(workspace, actor, Permission::ChannelCreateDirect),
    }
}

/// Checks that the actor may know that the channel exists, and read it.
pub(crate) fn sees_channel(workspace: &Workspace, channel: &Channel, actor: UserId) -> Result<(), AccessRefusal> {
    let is_public = channel.creation.as_ref().is_some_and(|c| c.kind == Kind::Public);
    let sees = channel.exists() && sees_one(workspace, actor, is_public, channel.has_member(actor));
    if sees { Ok(()) } else { Err(AccessRefusal::ChannelNotFound) }
}

/// Whether the actor may read a channel of the workspace that is public or not, and that the actor is in or not.
pub(crate) fn sees_one(workspace: &Workspace, actor: UserId, is_public: bool, is_member: bool) -> bool {
    let may_browse = is_public && workspace.allows(actor, Permission::ChannelBrowse);
    workspace.active_member(actor).is_some() && (is_member || may_browse)
}

/// Checks that the actor may know that the channel exists: they may read it, or are an owner and nobody is in it.
pub(crate) fn knows_channel(workspace: &Workspace, channel: &Channel, actor: UserId) -> Result<(), AccessRefusal> {
    if finds_it_without_members(workspace, channel, actor) { Ok(()) } else { sees_channel(workspace, channel, actor) }
}

/// Whether the actor is an owner of the workspace, and no active member of it is in this named channel.
pub(crate) fn finds_it_without_members(workspace: &Workspace, channel: &Channel, actor: UserId) -> bool {
    workspace.has_owner(actor) && channel.is_without_members(|user_id| workspace.active_member(user_id).is_some())
}

/// Checks that the actor may adopt the channel. A repeated request finds the actor as its admin.
fn adopts(workspace: &Workspace, channel: &Channel, actor: UserId) -> Result<(), CommandRefusal> {
    knows_channel(workspace, channel, actor)?;
    if !workspace.has_owner(actor) {
        return Err(ChannelRefusal::AdoptedByOwners.into());
    }
    let may = channel.has_admin(actor) || finds_it_without_members(workspace, channel, actor);
    if may { Ok(()) } else { Err(ChannelRefusal::NotWithoutMembers.into()) }
}

/// Checks that a channel with people in it keeps an admin without this one.
fn keeps_an_admin(workspace: &Workspace, channel: &Channel, without: UserId) -> Result<(), ChannelRefusal> {
    channel.keeps_an_admin(without, |user_id| workspace.active_member(user_id).is_some())
}

/// Checks that the actor may run the command on the channel.
pub(crate) fn channel_command(
    workspace: &Workspace,
    channel: &Channel,
    actor: UserId,
    command: &ChannelCommand,
) -> Result<(), CommandRefusal> {
    match command {
        ChannelCommand::Create(new) => Ok(create_channel(workspace, actor, new.kind)?),
        ChannelCommand::ChangeTopic { .. } | ChannelCommand::ChangePurpose { .. } | ChannelCommand::ChangeDescription { .. } => {
            Ok(describes(workspace, channel, actor)?)
        }
        ChannelCommand::AddMember { user_id } => {
            sees_channel(workspace, channel, actor)?;
            may(workspace, actor, Permission::ChannelAddMembers)?;
            Ok(member_of_workspace(workspace, *user_id)?)
        }
        ChannelCommand::Join | ChannelCommand::ChangeNotificationLevel { .. } => Ok(sees_channel(workspace, channel, actor)?),
        ChannelCommand::Adopt => adopts(workspace, channel, actor),
        ChannelCommand::Leave => {
            sees_channel(workspace, channel, actor)?;
            Ok(keeps_an_admin(workspace, channel, actor)?)
        }
        // An admin of the channel may change its settings, except how long messages are kept: that also needs a
        // permission in the workspace.
        ChannelCommand::ChangeSettings(settings) => {
            manages(workspace, channel, actor)?;
            let stays = settings.retention_policy == channel.settings.retention_policy;
            if stays { Ok(()) } else { Ok(may(workspace, actor, Permission::RetentionManage)?) }
        }
        // Ranks in the workspace count here too: no member may remove or demote a member who ranks above them.
        ChannelCommand::RemoveMember { user_id } | ChannelCommand::ChangeMemberRole { user_id, role: MemberRole::Member } => {
            manages(workspace, channel, actor)?;
            if !workspace.members.contains_key(user_id) {
                return Err(WorkspaceRefusal::MemberNotFound.into());
            }
            workspace.may_act_on(actor, *user_id)?;
            Ok(keeps_an_admin(workspace, channel, *user_id)?)
        }
        ChannelCommand::Rename { .. }
        | ChannelCommand::ChangeMemberRole { role: MemberRole::Admin, .. }
        | ChannelCommand::Archive
        | ChannelCommand::Unarchive => {
            if finds_it_without_members(workspace, channel, actor) {
                Ok(())
            } else {
                Ok(manages(workspace, channel, actor)?)
            }
        }
    }
}

/// Checks that the actor may run the retention policy now. The server itself does so every day.
pub(crate) fn apply_retention(workspace: &Workspace, actor: UserId) -> Result<(), AccessRefusal> {
    if actor == UserId::SYSTEM { Ok(()) } else { may(workspace, actor, Permission::RetentionRun) }
}

/// Checks that the user may become a member of a channel.
pub(crate) fn member_of_workspace(workspace: &Workspace, user_id: UserId) -> Result<(), AccessRefusal> {
    if workspace.active_member(user_id).is_some() { Ok(()) } else { Err(AccessRefusal::NotAMemberOfTheWorkspace) }
}

fn describes(workspace: &Workspace, channel: &Channel, actor: UserId) -> Result<(), AccessRefusal> {
    sees_channel(workspace, channel, actor)?;
    if channel.has_admin(actor) || (channel.has_member(actor) && workspace.allows(actor, Permission::ChannelDescribe)) {
        return Ok(());
    }
    may(workspace, actor, Permission::ChannelManage)
}

fn manages(workspace: &Workspace, channel: &Channel, actor: UserId) -> Result<(), AccessRefusal> {
    sees_channel(workspace, channel, actor)?;
    let may = channel.has_admin(actor) || workspace.allows(actor, Permission::ChannelManage);
    if may { Ok(()) } else { Err(AccessRefusal::NotTheChannelsAdmin) }
}

/// Checks that the actor may post, or run the command on the message.
pub(crate) fn message_command(
    workspace: &Workspace,
    channel: &Channel,
    actor: UserId,
    command: &MessageCommand,
) -> Result<(), AccessRefusal> {
    // A purge for legal reasons also reaches private channels: an actor with the permission need not be a member of the
    // channel.
    let is_purge = matches!(command, MessageCommand::Purge { .. }) && workspace.allows(actor, Permission::MessagePurge);
    if !is_purge {
        sees_channel(workspace, channel, actor)?;
    }
    match command {
        MessageCommand::Post(_) | MessageCommand::Edit { .. } => may(workspace, actor, Permission::MessagePost),
        // The author may. Other members need a permission. The domain checks both, because it knows the author.
        MessageCommand::Delete => Ok(()),
        MessageCommand::Pin | MessageCommand::Unpin => may(workspace, actor, Permission::MessagePin),
        MessageCommand::React { .. } | MessageCommand::RemoveReaction { .. } => may(workspace, actor, Permission::MessageReact),
        MessageCommand::Purge { .. } => may(workspace, actor, Permission::MessagePurge),
    }
}

/// Returns the message's data, if it was posted.
pub(crate) fn posted(message: &Message) -> Result<&domain::message::Posting, AccessRefusal> {
    message.posting.as_ref().ok_or(AccessRefusal::MessageNotFound)
}
