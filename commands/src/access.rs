//! Who may see what, for the queries. Judged here and not on the read side, after catching up with the log, so that a removal that was
//! acknowledged is effective in what is read too, however far a projection lags.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::channel::ChannelRefusal;
use domain::ids::{ChannelId, HoldId, MessageId, UserId, WorkspaceId};
use domain::message::MessageRefusal;
use domain::permission::{Permission, Role};
use domain::workspace::Hold;
use domain::{Channel, Context, User, Workspace};

use crate::authorize::AccessRefusal;
use crate::messages::{gone, surroundings};
use crate::reader::Reader;
use crate::{CommandError, Commands, authorize};

impl Commands {
    /// The user, where they are there and not suspended.
    ///
    /// # Errors
    /// They are not, or the store failed.
    pub async fn active_user(&self, actor: UserId) -> Result<Arc<User>, CommandError> {
        let mut reader = self.fresh().await?;
        let user = reader.user(actor).await?;
        authorize::active(&user)?;
        Ok(user)
    }

    /// Whether the user runs this server.
    ///
    /// # Errors
    /// They do not, or the store failed.
    pub async fn operator(&self, actor: UserId) -> Result<(), CommandError> {
        let user = self.active_user(actor).await?;
        Ok(authorize::operator(&user)?)
    }

    /// What the actor is in the workspace.
    ///
    /// # Errors
    /// Nothing, as far as they may know; or the store failed.
    pub async fn active_member(&self, actor: UserId, workspace_id: WorkspaceId) -> Result<Role, CommandError> {
        let workspace = self.member_of(actor, workspace_id).await?;
        let member = workspace.active_member(actor).ok_or(AccessRefusal::WorkspaceNotFound)?;
        Ok(member.role)
    }

    /// Whether the actor has that permission in the workspace.
    ///
    /// # Errors
    /// They do not, or the store failed.
    pub async fn may(&self, actor: UserId, workspace_id: WorkspaceId, permission: Permission) -> Result<(), CommandError> {
        let workspace = self.member_of(actor, workspace_id).await?;
        Ok(authorize::may(&workspace, actor, permission)?)
    }

    /// The legal holds that stand in the workspace, where the actor may see them. They are few, and effective at once: so they are told from
    /// here, and stand in no read table.
    ///
    /// # Errors
    /// They may not, or the store failed.
    pub async fn holds(&self, actor: UserId, workspace_id: WorkspaceId) -> Result<BTreeMap<HoldId, Hold>, CommandError> {
        let workspace = self.member_of(actor, workspace_id).await?;
        authorize::may(&workspace, actor, Permission::HoldsManage)?;
        Ok(workspace.holds.clone())
    }

    /// Whether the actor, who is a member, has that permission in the workspace.
    ///
    /// # Errors
    /// They are not in the workspace, as far as they may know; or the store failed.
    pub async fn allows(&self, actor: UserId, workspace_id: WorkspaceId, permission: Permission) -> Result<bool, CommandError> {
        Ok(self.member_of(actor, workspace_id).await?.allows(actor, permission))
    }

    /// The workspace of a channel that the actor may read.
    ///
    /// # Errors
    /// They may not, or the store failed.
    pub async fn readable_channel(&self, actor: UserId, channel_id: ChannelId) -> Result<WorkspaceId, CommandError> {
        let mut reader = self.fresh().await?;
        authorize::active(reader.user(actor).await?.as_ref())?;
        sees(&mut reader, actor, channel_id).await?.ok_or_else(|| AccessRefusal::ChannelNotFound.into())
    }

    /// Whether the actor may post to the channel just now.
    ///
    /// # Errors
    /// They may not, or the store failed.
    pub async fn may_post(&self, context: &Context, channel_id: ChannelId) -> Result<(), CommandError> {
        let mut reader = self.fresh().await?;
        let (_, around) = surroundings(context, &mut reader, channel_id).await?;
        authorize::sees_channel(&around.workspace, &around.channel, context.actor)?;
        authorize::may(&around.workspace, context.actor, Permission::MessagePost)?;
        Ok(around.may_be_posted_to(context)?)
    }

    /// The workspace of a channel that the actor may read, where they may read its archive too.
    ///
    /// # Errors
    /// They may not, or the store failed.
    pub async fn readable_archive(&self, actor: UserId, channel_id: ChannelId) -> Result<WorkspaceId, CommandError> {
        let workspace_id = self.readable_channel(actor, channel_id).await?;
        self.may(actor, workspace_id, Permission::ArchiveRead).await?;
        Ok(workspace_id)
    }

    /// Where a message is that the actor may read.
    ///
    /// # Errors
    /// They may not, or the store failed.
    pub async fn readable_message(&self, actor: UserId, message_id: MessageId) -> Result<(WorkspaceId, ChannelId), CommandError> {
        let mut reader = self.fresh().await?;
        authorize::active(reader.user(actor).await?.as_ref())?;
        let message = reader.message(message_id).await?;
        let channel_id = authorize::posted(&message)?.channel_id;
        let workspace_id = sees(&mut reader, actor, channel_id).await?.ok_or(AccessRefusal::MessageNotFound)?;
        match gone(Utc::now(), &mut reader, message_id, &message).await? {
            Some(_) => Err(MessageRefusal::Archived.into()),
            None => Ok((workspace_id, channel_id)),
        }
    }

    /// In which workspace a channel is that the actor is a member of, and when a message of it was sent.
    ///
    /// # Errors
    /// They may not read it or are not a member, the message is not there, or the store failed.
    pub async fn message_of_member(
        &self,
        actor: UserId,
        channel_id: ChannelId,
        message_id: MessageId,
    ) -> Result<(WorkspaceId, DateTime<Utc>), CommandError> {
        let mut reader = self.fresh().await?;
        authorize::active(reader.user(actor).await?.as_ref())?;
        let workspace_id = sees(&mut reader, actor, channel_id).await?.ok_or(AccessRefusal::ChannelNotFound)?;
        if !reader.channel(channel_id).await?.has_member(actor) {
            return Err(ChannelRefusal::NotAMember.into());
        }
        let message = reader.message(message_id).await?;
        let posting = message.posting.as_ref().filter(|posting| posting.channel_id == channel_id);
        Ok((workspace_id, posting.ok_or(AccessRefusal::MessageNotFound)?.sent_at))
    }

    /// Those of the channels that the actor may read.
    ///
    /// # Errors
    /// The store failed.
    pub async fn readable_channels(&self, actor: UserId, channels: &[ChannelId]) -> Result<HashSet<ChannelId>, CommandError> {
        let mut reader = self.fresh().await?;
        let mut readable = HashSet::new();
        if !reader.user(actor).await?.is_active() {
            return Ok(readable);
        }
        for channel_id in channels {
            if !readable.contains(channel_id) && sees(&mut reader, actor, *channel_id).await?.is_some() {
                readable.insert(*channel_id);
            }
        }
        Ok(readable)
    }

    /// Those of the channels of a workspace that the actor may read, however many there are: each is judged in memory, at one moment.
    ///
    /// # Errors
    /// They are not in the workspace, or the store failed.
    pub async fn readable_in(
        &self,
        actor: UserId,
        workspace_id: WorkspaceId,
        channels: &[ChannelId],
    ) -> Result<HashSet<ChannelId>, CommandError> {
        let workspace = self.member_of(actor, workspace_id).await?;
        let ids = channels.iter().map(|id| id.0).collect::<Vec<_>>();
        let is_readable = |channel: &Channel| {
            let is_here = channel.creation.as_ref().is_some_and(|creation| creation.workspace_id == workspace_id);
            is_here && authorize::sees_channel(&workspace, channel, actor).is_ok()
        };
        let loaded = self.store.load_all::<Channel>(&ids).await?.into_iter();
        Ok(loaded.filter(|(_, channel)| is_readable(&channel.state)).map(|(id, _)| id.into()).collect())
    }

    /// Those of the workspaces that the actor is an active member of.
    ///
    /// # Errors
    /// The store failed.
    pub async fn workspaces_among(&self, actor: UserId, workspaces: &[WorkspaceId]) -> Result<HashSet<WorkspaceId>, CommandError> {
        let mut reader = self.fresh().await?;
        let mut mine = HashSet::new();
        for workspace_id in workspaces {
            if reader.workspace(*workspace_id).await?.active_member(actor).is_some() {
                mine.insert(*workspace_id);
            }
        }
        Ok(mine)
    }

    /// Those of the users who are active members of the workspace, where the actor may see who is in it.
    ///
    /// # Errors
    /// They may not, or the store failed.
    pub async fn active_members_among(
        &self,
        actor: UserId,
        workspace_id: WorkspaceId,
        users: &[UserId],
    ) -> Result<Vec<UserId>, CommandError> {
        let workspace = self.member_of(actor, workspace_id).await?;
        authorize::may(&workspace, actor, Permission::MemberList)?;
        Ok(users.iter().copied().filter(|user_id| workspace.active_member(*user_id).is_some()).collect())
    }

    /// The user as they are now.
    ///
    /// # Errors
    /// The store failed.
    pub async fn user_state(&self, id: UserId) -> Result<Arc<User>, CommandError> {
        Ok(self.fresh().await?.user(id).await?)
    }

    /// The workspace as it is now.
    ///
    /// # Errors
    /// The store failed.
    pub async fn workspace_state(&self, id: WorkspaceId) -> Result<Arc<Workspace>, CommandError> {
        Ok(self.fresh().await?.workspace(id).await?)
    }

    /// The channel as it is now.
    ///
    /// # Errors
    /// The store failed.
    pub async fn channel_state(&self, id: ChannelId) -> Result<Arc<Channel>, CommandError> {
        Ok(self.fresh().await?.channel(id).await?)
    }

    async fn fresh(&self) -> Result<Reader<'_>, CommandError> {
        self.store.catch_up().await?;
        Ok(Reader::new(&self.store))
    }

    async fn member_of(&self, actor: UserId, workspace_id: WorkspaceId) -> Result<Arc<Workspace>, CommandError> {
        let mut reader = self.fresh().await?;
        authorize::active(reader.user(actor).await?.as_ref())?;
        let workspace = reader.workspace(workspace_id).await?;
        authorize::sees_workspace(&workspace, actor)?;
        Ok(workspace)
    }
}

/// The workspace of the channel, where the actor may read it.
async fn sees(reader: &mut Reader<'_>, actor: UserId, channel_id: ChannelId) -> Result<Option<WorkspaceId>, CommandError> {
    let channel = reader.channel(channel_id).await?;
    let Some(creation) = &channel.creation else { return Ok(None) };
    let workspace = reader.workspace(creation.workspace_id).await?;
    Ok(authorize::sees_channel(&workspace, &channel, actor).is_ok().then_some(creation.workspace_id))
}
