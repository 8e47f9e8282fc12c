//! Refusals because of the actor.

use domain::permission::Permission;
use domain::{Refusal, RefusalKind};

/// A refusal because of the actor, whatever the state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessRefusal {
    /// The actor is not a user, or is suspended.
    #[error("this user is suspended or does not exist; ask the server's operators")]
    NotActive,
    /// The user does not exist, or the actor may not see them.
    #[error("there is no such user")]
    UserNotFound,
    /// The workspace does not exist, or the actor is not a member of it.
    #[error("there is no such workspace, or you are not a member of it")]
    WorkspaceNotFound,
    /// The channel does not exist, or the actor may not see it.
    #[error("there is no such channel, or you may not see it")]
    ChannelNotFound,
    /// The message does not exist, or the actor may not see it.
    #[error("there is no such message, or you may not see it")]
    MessageNotFound,
    /// The actor lacks a permission.
    #[error("this needs the permission {}; ask an admin of the workspace", .0.as_str())]
    Forbidden(Permission),
    /// Only admins of the channel and members with `channel.manage` may do that.
    #[error("only admins of the channel, and members with the permission channel.manage, may do this")]
    NotTheChannelsAdmin,
    /// Only the user may do that to their own account.
    #[error("you can only change your own account")]
    NotYourself,
    /// Only the server's operators may do that.
    #[error("only operators of this server may do this")]
    NotAnOperator,
    /// An account belongs to the server, so an owner of a workspace cannot erase it.
    #[error("only the user and operators of this server can erase an account; an owner of a workspace can propose it to the operators")]
    ErasureNotYours,
    /// Only an owner of the workspace may propose an erasure to the operators.
    #[error("only an owner of the workspace may propose the erasure of a member to the operators")]
    NotAnOwner,
    /// Only an owner of the workspace and the server's operators may change a workspace's domain.
    #[error("only an owner of the workspace, and operators of this server, may change its domain")]
    DomainNotYours,
    /// Nobody may register by themselves.
    #[error("this server does not take registrations; ask its operators for an account")]
    RegistrationClosed,
    /// Only people who are invited may register.
    #[error("only people who are invited may register here: send the token of the invitation as invitation_token")]
    RegistrationInvited,
    /// A guest shares no channel with the other person.
    #[error("a guest can start conversations only with people in the guest's channels; ask a member to add both of you to a channel")]
    NotAmongTheGuestsPeople,
    /// The row has changed since the actor read it.
    #[error("this has changed since you read it: read it again, and decide whether your change still holds")]
    RowChanged,
    /// The command does not change one row, so it takes no condition on one.
    #[error("this operation does not change one row: send it without If-Match")]
    NoRow,
    /// Every member of a channel must be an active member of the workspace.
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
            Self::NotAnOwner | Self::DomainNotYours => "workspace.owners_only",
            Self::RegistrationClosed | Self::RegistrationInvited => "user.registration_closed",
            Self::NotAmongTheGuestsPeople => "access.guest_shares_no_channel",
            Self::NotAMemberOfTheWorkspace => "workspace.not_a_member",
            Self::RowChanged => "request.row_changed",
            Self::NoRow => "request.if_match_unexpected",
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
            | Self::NotAmongTheGuestsPeople
            | Self::NotAnOwner
            | Self::DomainNotYours
            | Self::RegistrationClosed
            | Self::RegistrationInvited => RefusalKind::Forbidden,
            Self::NotAMemberOfTheWorkspace => RefusalKind::Conflict,
            Self::RowChanged | Self::NoRow => RefusalKind::ConditionFailed,
        }
    }
}
