//! All refusals of commands, as one type. Callers match on its variants, and never on the text of a code.

use domain::text::InvalidText;
use domain::{
    ChannelRefusal, InstallationRefusal, MessageRefusal, Refusal, RefusalKind, RetentionRefusal, SessionRefusal, UserRefusal,
    WorkspaceRefusal,
};

use crate::access_refusal::AccessRefusal;
use crate::event_store::ClaimKind;

/// Why a command is refused. [`Refusal`] has what all refusals share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandRefusal {
    /// The actor may not do that, whatever the state is.
    #[error(transparent)]
    Access(#[from] AccessRefusal),
    /// A unique name is in use.
    #[error(transparent)]
    Taken(#[from] Taken),
    /// A text of the input is invalid.
    #[error(transparent)]
    Text(#[from] InvalidText),
    /// A rule of users refuses it.
    #[error(transparent)]
    User(#[from] UserRefusal),
    /// A rule of workspaces refuses it.
    #[error(transparent)]
    Workspace(#[from] WorkspaceRefusal),
    /// A rule of channels refuses it.
    #[error(transparent)]
    Channel(#[from] ChannelRefusal),
    /// A rule of messages refuses it.
    #[error(transparent)]
    Message(#[from] MessageRefusal),
    /// A rule of retention refuses it.
    #[error(transparent)]
    Retention(#[from] RetentionRefusal),
    /// A rule of the installation refuses it.
    #[error(transparent)]
    Installation(#[from] InstallationRefusal),
    /// A rule of sessions refuses it.
    #[error(transparent)]
    Session(#[from] SessionRefusal),
}

impl CommandRefusal {
    fn inner(&self) -> &dyn Refusal {
        match self {
            Self::Access(refusal) => refusal,
            Self::Taken(refusal) => refusal,
            Self::Text(refusal) => refusal,
            Self::User(refusal) => refusal,
            Self::Workspace(refusal) => refusal,
            Self::Channel(refusal) => refusal,
            Self::Message(refusal) => refusal,
            Self::Retention(refusal) => refusal,
            Self::Installation(refusal) => refusal,
            Self::Session(refusal) => refusal,
        }
    }
}

impl Refusal for CommandRefusal {
    fn code(&self) -> &'static str {
        self.inner().code()
    }

    fn kind(&self) -> RefusalKind {
        self.inner().kind()
    }

    fn field(&self) -> Option<&'static str> {
        self.inner().field()
    }
}

/// The refusal that a unique name is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is taken already; choose another", self.parts().what)]
pub struct Taken {
    /// The kind of the name.
    pub kind: ClaimKind,
}

/// The texts about a kind of name that is in use.
struct Parts {
    code: &'static str,
    field: &'static str,
    what: &'static str,
}

impl Taken {
    fn parts(self) -> Parts {
        let (code, field, what) = match self.kind {
            ClaimKind::Email => ("user.email_taken", "email", "this email address"),
            ClaimKind::Username => ("user.username_taken", "username", "this username"),
            ClaimKind::UsernameTwin => ("user.username_taken", "username", "a username that looks like this one"),
            ClaimKind::WorkspaceDomain => ("workspace.domain_taken", "domain", "this domain"),
            ClaimKind::ChannelName => ("channel.name_taken", "name", "this channel name"),
            ClaimKind::ChannelNameTwin => ("channel.name_taken", "name", "a channel name that looks like this one"),
            ClaimKind::People => ("channel.exists_already", "members", "a conversation of these people"),
            ClaimKind::WorkspaceSlot => ("workspace.slot_taken", "name", "this place among your workspaces"),
            ClaimKind::ChannelSlot => ("channel.slot_taken", "name", "this place among your channels"),
            ClaimKind::FirstUser => ("user.first_taken", "email", "the place of this server's first user"),
        };
        Parts { code, field, what }
    }
}

impl Refusal for Taken {
    fn code(&self) -> &'static str {
        self.parts().code
    }

    fn kind(&self) -> RefusalKind {
        RefusalKind::Conflict
    }

    fn field(&self) -> Option<&'static str> {
        Some(self.parts().field)
    }
}
