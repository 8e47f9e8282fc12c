//! Who may run which command, and who may see what. One exhaustive match for each kind of command: no `_`.
//!
//! What may not be seen is not found: nobody learns that a private channel is there by being refused.

use domain::ids::UserId;
use domain::permission::Permission;
use domain::{
    Channel, ChannelCommand, InstallationCommand, Message, MessageCommand, Refusal, RefusalKind, User, UserCommand, Workspace,
    WorkspaceCommand,
};

use domain::channel::{Kind, MemberRole};

use crate::refusal::CommandRefusal;

/// A "no" for who asks, whatever the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessRefusal {
    /// The actor is not a user, or is suspended.
    #[error("this user is suspended or does not exist; ask the server's operators")]
    NotActive,
    /// There is no such user, as far as the actor may know.
    #[error("there is no such user")]
    UserNotFound,
    /// There is no such workspace, as far as the actor may know.
    #[error("there is no such workspace, or you are not a member of it")]
    WorkspaceNotFound,
    /// There is no such channel, as far as the actor may know.
    #[error("there is no such channel, or you may not see it")]
    ChannelNotFound,
    /// There is no such message, as far as the actor may know.
    #[error("there is no such message, or you may not see it")]
    MessageNotFound,
    /// A permission is missing.
    #[error("this needs the permission {}; ask an admin of the workspace", .0.as_str())]
    Forbidden(Permission),
    /// Only the channel's admins and those who manage channels may do that.
    #[error("only admins of the channel, and members with the permission channel.manage, may do this")]
    NotTheChannelsAdmin,
    /// Only the user themselves may do that.
    #[error("you can only change your own account")]
    NotYourself,
    /// Only the server's operators may do that.
    #[error("only operators of this server may do this")]
    NotAnOperator,
    /// An account is the server's: a workspace does not erase it.
    #[error("only the user themselves and operators of this server erase an account; an owner of a workspace may ask the operators for it")]
    ErasureNotYours,
    /// Only an owner asks the operators to erase somebody.
    #[error("only an owner of the workspace may ask the operators to erase a member's account")]
    NotAnOwner,
    /// Everyone who is put into a channel must be an active member of the workspace.
    #[error("everyone in a channel must be an active member of the workspace; invite them first")]
    NotAMemberOfTheWorkspace,
}

impl Refusal for AccessRefusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NotActive => "user.not_active",
            Self::UserNotFound => "user.not_found",
            Self::WorkspaceNotFound => "workspace.not_found",
            Self::ChannelNotFound => "channel.not_found",
            Self::MessageNotFound => "message.not_found",
            Self::Forbidden(_) => "access.forbidden",
            Self::NotTheChannelsAdmin => "channel.admins_only",
            Self::NotYourself => "user.not_yourself",
            Self::NotAnOperator => "server.operators_only",
            Self::ErasureNotYours => "user.erasure_not_yours",
            Self::NotAnOwner => "workspace.owners_only",
            Self::NotAMemberOfTheWorkspace => "workspace.not_a_member",
        }
    }

    fn kind(&self) -> RefusalKind {
        match self {
            Self::UserNotFound | Self::WorkspaceNotFound | Self::ChannelNotFound | Self::MessageNotFound => RefusalKind::NotFound,
            Self::NotActive
            | Self::Forbidden(_)
            | Self::NotTheChannelsAdmin
            | Self::NotYourself
            | Self::NotAnOperator
            | Self::ErasureNotYours
            | Self::NotAnOwner => RefusalKind::Forbidden,
            Self::NotAMemberOfTheWorkspace => RefusalKind::Conflict,
        }
    }
}

/// Whether the actor may act at all.
pub(crate) fn active(actor: &User) -> Result<(), AccessRefusal> {
    if actor.is_active() { Ok(()) } else { Err(AccessRefusal::NotActive) }
}

/// Whether the actor runs this server.
pub(crate) fn operator(actor: &User) -> Result<(), AccessRefusal> {
    if actor.is_operator() { Ok(()) } else { Err(AccessRefusal::NotAnOperator) }
}

/// Whether the actor may run that command on `user`.
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
        // The user themselves and operators, and the owners of a workspace: that is looked at where the workspaces are known.
        UserCommand::ProposeErasure { .. } | UserCommand::RequestErasure { .. } | UserCommand::CancelErasure => active(actor),
        // The server itself: the command line, and the process that carries out erasures.
        UserCommand::MakeOperator | UserCommand::Erase { .. } => {
            if actor_id == UserId::SYSTEM {
                Ok(())
            } else {
                Err(AccessRefusal::NotAnOperator)
            }
        }
        UserCommand::Suspend { .. } | UserCommand::Reactivate => operator(actor),
    }
}

/// Whether the actor may know that the workspace is there.
pub(crate) fn sees_workspace(workspace: &Workspace, actor: UserId) -> Result<(), AccessRefusal> {
    if workspace.active_member(actor).is_some() { Ok(()) } else { Err(AccessRefusal::WorkspaceNotFound) }
}

/// Whether the actor has that permission.
pub(crate) fn may(workspace: &Workspace, actor: UserId, permission: Permission) -> Result<(), AccessRefusal> {
    sees_workspace(workspace, actor)?;
    if workspace.allows(actor, permission) { Ok(()) } else { Err(AccessRefusal::Forbidden(permission)) }
}

/// Whether the actor may run that command on the installation: its operators, and the server itself, as which the command line acts.
pub(crate) fn installation_command(actor_id: UserId, actor: &User, command: &InstallationCommand) -> Result<(), AccessRefusal> {
    match command {
        InstallationCommand::StartReplay(_)
        | InstallationCommand::EndReplay(_)
        | InstallationCommand::SkipEvent(_)
        | InstallationCommand::NoteRetry { .. }
        | InstallationCommand::NoteKeyRotation { .. } => {
            if actor_id == UserId::SYSTEM || actor.is_operator() {
                Ok(())
            } else {
                Err(AccessRefusal::NotAnOperator)
            }
        }
    }
}

/// Whether the actor may run that command on the workspace.
pub(crate) fn workspace_command(workspace: &Workspace, actor: UserId, command: &WorkspaceCommand) -> Result<(), AccessRefusal> {
    match command {
        WorkspaceCommand::Create { .. } => Ok(()),
        // Who holds the invitation's token may: the domain checks that the invitation stands.
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
        // Nothing that a member is allows it: operators need not be one.
        WorkspaceCommand::ChangePlan { .. } => Err(AccessRefusal::NotAnOperator),
        WorkspaceCommand::Invite { .. } | WorkspaceCommand::RevokeInvitation { .. } => may(workspace, actor, Permission::MemberInvite),
        WorkspaceCommand::ChangeMemberRole { .. }
        | WorkspaceCommand::ChangeMemberDetails { .. }
        | WorkspaceCommand::ChangeMemberPermissions { .. }
        | WorkspaceCommand::DeactivateMember { .. }
        | WorkspaceCommand::ReactivateMember { .. } => may(workspace, actor, Permission::MemberManage),
        WorkspaceCommand::HandOver { .. } => may(workspace, actor, Permission::WorkspaceHandOver),
        WorkspaceCommand::PlaceHold { .. } | WorkspaceCommand::ReleaseHold { .. } => may(workspace, actor, Permission::HoldsManage),
    }
}

/// Whether the actor may create a channel of that kind.
pub(crate) fn create_channel(workspace: &Workspace, actor: UserId, kind: Kind) -> Result<(), AccessRefusal> {
    match kind {
        Kind::Public => may(workspace, actor, Permission::ChannelCreatePublic),
        Kind::Private => may(workspace, actor, Permission::ChannelCreatePrivate),
        Kind::Direct | Kind::GroupDirect => may(workspace, actor, Permission::ChannelCreateDirect),
    }
}

/// Whether the actor may know that the channel is there, and read it.
pub(crate) fn sees_channel(workspace: &Workspace, channel: &Channel, actor: UserId) -> Result<(), AccessRefusal> {
    let is_public = channel.creation.as_ref().is_some_and(|c| c.kind == Kind::Public);
    let may_browse = is_public && workspace.allows(actor, Permission::ChannelBrowse);
    let sees = workspace.active_member(actor).is_some() && channel.exists() && (channel.has_member(actor) || may_browse);
    if sees { Ok(()) } else { Err(AccessRefusal::ChannelNotFound) }
}

/// Whether the actor may run that command on the channel.
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
        ChannelCommand::Join | ChannelCommand::Leave | ChannelCommand::ChangeNotificationLevel { .. } => {
            Ok(sees_channel(workspace, channel, actor)?)
        }
        // An admin of the channel sets it up, but does not decide alone how long the workspace remembers.
        ChannelCommand::ChangeSettings(settings) => {
            manages(workspace, channel, actor)?;
            let stays = settings.retention_policy == channel.settings.retention_policy;
            if stays { Ok(()) } else { Ok(may(workspace, actor, Permission::RetentionManage)?) }
        }
        // What somebody is in the workspace counts here too: nobody is put out of a channel, or down in it, from below.
        ChannelCommand::RemoveMember { user_id } | ChannelCommand::ChangeMemberRole { user_id, role: MemberRole::Member } => {
            manages(workspace, channel, actor)?;
            Ok(workspace.may_act_on(actor, *user_id)?)
        }
        ChannelCommand::Rename { .. }
        | ChannelCommand::ChangeMemberRole { role: MemberRole::Admin, .. }
        | ChannelCommand::Archive
        | ChannelCommand::Unarchive => Ok(manages(workspace, channel, actor)?),
    }
}

/// Whether the actor may have messages leave now: the server does so by itself, every day.
pub(crate) fn apply_retention(workspace: &Workspace, actor: UserId) -> Result<(), AccessRefusal> {
    if actor == UserId::SYSTEM { Ok(()) } else { may(workspace, actor, Permission::RetentionRun) }
}

/// Whether the user may be put into a channel.
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

/// Whether the actor may run that command on the message, or post it.
pub(crate) fn message_command(
    workspace: &Workspace,
    channel: &Channel,
    actor: UserId,
    command: &MessageCommand,
) -> Result<(), AccessRefusal> {
    // The law does not stop at private channels: whoever may purge and knows the message need not be in its channel.
    let is_purge = matches!(command, MessageCommand::Purge { .. }) && workspace.allows(actor, Permission::MessagePurge);
    if !is_purge {
        sees_channel(workspace, channel, actor)?;
    }
    match command {
        MessageCommand::Post(_) | MessageCommand::Edit { .. } => may(workspace, actor, Permission::MessagePost),
        // The author may; others need a permission, which the domain checks, for it knows the author.
        MessageCommand::Delete => Ok(()),
        MessageCommand::Pin | MessageCommand::Unpin => may(workspace, actor, Permission::MessagePin),
        MessageCommand::React { .. } | MessageCommand::TakeReactionBack { .. } => may(workspace, actor, Permission::MessageReact),
        MessageCommand::Purge { .. } => may(workspace, actor, Permission::MessagePurge),
    }
}

/// Whether there is such a message at all.
pub(crate) fn posted(message: &Message) -> Result<&domain::message::Posting, AccessRefusal> {
    message.posting.as_ref().ok_or(AccessRefusal::MessageNotFound)
}
