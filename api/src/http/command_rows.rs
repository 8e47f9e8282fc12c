//! The rows that commands answer with: the row that the command made or changed, as queries show it.
//!
//! The read model follows the log within milliseconds, so a command waits for its own position and reads the row. By
//! then the command is done. So nothing here fails a request: if the read model is behind for longer, or cannot be
//! read, the command is acknowledged without a row (202). A post does not come here: its row is made from its event.

use std::time::Duration;

use commands::{Appended, CommandError, Commands, ReadAccess};
use domain::ids::{ChannelId, InvitationId, MessageId, UserId, WorkspaceId};
use domain::permission::Permission;
use domain::{ChannelCommand, MessageCommand, WorkspaceCommand};
use projections::relational::channel_members::ChannelMemberRow;
use projections::relational::channels::ChannelRow;
use projections::relational::invitations::InvitationRow;
use projections::relational::members::MemberRow;
use projections::relational::messages::MessageRow;
use projections::relational::workspaces::WorkspaceRow;
use projections::{Progress, QueryError, ReadModels};

use super::account::Account;
use super::answer::Done;
use crate::extract::{Command, RequestBody, parts};
use crate::problem::Problem;

/// How long a command waits for its row. It is done already, so its caller should not wait as long as that of a query.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(2);

parts! {
    /// Reads the rows that commands made or changed.
    pub struct CommandRows {
        commands: Commands,
        progress: Progress,
        read_models: ReadModels,
    }
}

/// The commands that are run the same way for every path: on one thing, which is the answer.
impl CommandRows {
    /// Runs a command on a message.
    pub async fn change_message<B: RequestBody>(
        &self,
        command: &Command<B>,
        message_id: MessageId,
        change: MessageCommand,
    ) -> Result<Done<MessageRow>, Problem> {
        let appended = self.commands.message(&command.asked(), message_id, change).await?;
        let row = self.message(By(command.actor.user_id, &appended), message_id).await;
        Ok(Done::changed(appended, row))
    }

    /// Runs a command on a channel.
    pub async fn change_channel<B: RequestBody>(
        &self,
        command: &Command<B>,
        channel_id: ChannelId,
        change: ChannelCommand,
    ) -> Result<Done<ChannelRow>, Problem> {
        let appended = self.commands.channel(&command.asked(), channel_id, change).await?;
        let row = self.channel(By(command.actor.user_id, &appended), channel_id).await;
        Ok(Done::changed(appended, row))
    }

    /// Runs a command on a member of a channel.
    pub async fn change_channel_member<B: RequestBody>(
        &self,
        command: &Command<B>,
        (channel_id, user_id): (ChannelId, UserId),
        change: ChannelCommand,
    ) -> Result<Done<ChannelMemberRow>, Problem> {
        let appended = self.commands.channel(&command.asked(), channel_id, change).await?;
        let row = self.channel_member(By(command.actor.user_id, &appended), channel_id, user_id).await;
        Ok(Done::changed(appended, row))
    }

    /// Runs a command on a member of a workspace.
    pub async fn change_member<B: RequestBody>(
        &self,
        command: &Command<B>,
        (workspace_id, user_id): (WorkspaceId, UserId),
        change: WorkspaceCommand,
    ) -> Result<Done<MemberRow>, Problem> {
        let appended = self.commands.workspace(&command.asked(), workspace_id, change).await?;
        let row = self.member(By(command.actor.user_id, &appended), workspace_id, user_id).await;
        Ok(Done::changed(appended, row))
    }
}

/// A command that is done, and the user who ran it.
#[derive(Clone, Copy)]
pub struct By<'a>(pub UserId, pub &'a Appended);

impl CommandRows {
    /// Waits until queries on every node see what the command did. Returns whether they do.
    async fn settled(&self, appended: &Appended) -> bool {
        let reached = self.progress.wait_for(projections::RELATIONAL, appended.position, WAIT_MAX).await;
        if let Err(behind) = &reached {
            tracing::warn!(error = %behind, "a command is acknowledged without its row");
        }
        reached.is_ok()
    }

    /// The message.
    pub async fn message(&self, by: By<'_>, message_id: MessageId) -> Option<MessageRow> {
        let sees = async |access: ReadAccess| access.message(message_id).await.map(drop);
        self.row(by, sees, self.read_models.message_row(message_id)).await
    }

    /// The channel or conversation.
    pub async fn channel(&self, by: By<'_>, channel_id: ChannelId) -> Option<ChannelRow> {
        let sees = async |access: ReadAccess| access.channel(channel_id).await.map(drop);
        self.row(by, sees, self.read_models.channel(channel_id, by.0)).await
    }

    /// The member of the channel.
    pub async fn channel_member(&self, by: By<'_>, channel_id: ChannelId, user_id: UserId) -> Option<ChannelMemberRow> {
        let sees = async |access: ReadAccess| access.channel(channel_id).await.map(drop);
        self.row(by, sees, self.read_models.channel_member(channel_id, user_id)).await
    }

    /// The workspace.
    pub async fn workspace(&self, by: By<'_>, workspace_id: WorkspaceId) -> Option<WorkspaceRow> {
        let sees = async |access: ReadAccess| access.active_member(workspace_id).await.map(drop);
        self.row(by, sees, self.read_models.workspace(workspace_id)).await
    }

    /// The member of the workspace.
    pub async fn member(&self, by: By<'_>, workspace_id: WorkspaceId, user_id: UserId) -> Option<MemberRow> {
        let sees = async |access: ReadAccess| access.may(workspace_id, Permission::MemberList).await;
        self.row(by, sees, self.read_models.member(workspace_id, user_id)).await
    }

    /// The invitation.
    pub async fn invitation(&self, by: By<'_>, workspace_id: WorkspaceId, invitation_id: InvitationId) -> Option<InvitationRow> {
        let sees = async |access: ReadAccess| access.may(workspace_id, Permission::MemberInvite).await;
        self.row(by, sees, self.read_models.invitation(workspace_id, invitation_id)).await
    }

    /// The user who ran the command.
    pub async fn caller(&self, by: By<'_>) -> Option<Account> {
        self.row(by, async |_| Ok(()), self.read_models.user(by.0)).await.map(Account::from)
    }

    /// Waits for the command's position, and reads the row. A request that is repeated with its key may come long after
    /// the command. So its caller must still be allowed to see the row.
    async fn row<T>(
        &self,
        By(caller, appended): By<'_>,
        sees: impl AsyncFnOnce(ReadAccess) -> Result<(), CommandError>,
        read: impl Future<Output = Result<Option<T>, QueryError>>,
    ) -> Option<T> {
        if !self.settled(appended).await || (appended.replayed && !self.is_allowed(caller, sees).await) {
            return None;
        }
        match read.await {
            Ok(row) => row,
            Err(error) => {
                tracing::warn!(%error, "a command is acknowledged without its row");
                None
            }
        }
    }

    async fn is_allowed(&self, caller: UserId, sees: impl AsyncFnOnce(ReadAccess) -> Result<(), CommandError>) -> bool {
        match self.commands.read_access(caller).await {
            Ok(access) => sees(access).await.is_ok(),
            Err(_) => false,
        }
    }
}
