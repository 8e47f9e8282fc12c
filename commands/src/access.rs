//! Who may see what, for the queries. Access is judged here and not on the read side.
//!
//! A request asks once where the log ends, after it has arrived, and is judged by what the log says up to there. So a
//! removal that was acknowledged before the request arrived is effective in what is read, however far a projection
//! lags. A query that waits for something waits first, and makes its [`ReadAccess`] then. One that reads for long, and
//! then judges what it has read, judges by a newer one.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use domain::channel::ChannelRefusal;
use domain::ids::{ChannelId, HoldId, MessageId, UserId, WorkspaceId};
use domain::message::MessageRefusal;
use domain::permission::{Permission, Role};
use domain::workspace::Hold;
use domain::{Channel, Context, User, Workspace};
use uuid::Uuid;

use crate::authorize::AccessRefusal;
use crate::event_store::EventStore;
use crate::messages::{gone, surroundings};
use crate::reader::Reader;
use crate::{CommandError, Commands, authorize};

/// For how long what a user may see is recent.
const RECENT_MAX: Duration = Duration::from_secs(1);

impl Commands {
    /// What the user may see from now on, where they are there and not suspended.
    ///
    /// # Errors
    /// They are not, or the store failed.
    pub async fn read_access(&self, user_id: UserId) -> Result<ReadAccess, CommandError> {
        ReadAccess::of(self.store.clone(), user_id).await
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
}

/// What a user may see, as of a position of the log or later: what this process hears of after that counts too. It is
/// made for one request. An answer that takes longer, such as a stream, [renews](ReadAccess::renewed) it as it goes on.
#[derive(Clone)]
pub struct ReadAccess {
    store: EventStore,
    user_id: UserId,
    position: i64,
    /// When the log was asked where it ends.
    asked_at: Instant,
}

impl ReadAccess {
    async fn of(store: EventStore, user_id: UserId) -> Result<Self, CommandError> {
        let asked_at = Instant::now();
        let position = store.catch_up().await?;
        let access = Self { store, user_id, position, asked_at };
        access.loaded().await?;
        Ok(access)
    }

    /// The same user's, as of now.
    ///
    /// # Errors
    /// They are suspended meanwhile, or the store failed.
    pub async fn renewed(&self) -> Result<Self, CommandError> {
        Self::of(self.store.clone(), self.user_id).await
    }

    /// The same where it is not a second old, else as of now: for what was read since, which may have taken long.
    ///
    /// # Errors
    /// As [`ReadAccess::renewed`].
    pub async fn recent(&self) -> Result<Self, CommandError> {
        if self.asked_at.elapsed() < RECENT_MAX { Ok(self.clone()) } else { self.renewed().await }
    }

    /// The user.
    #[must_use]
    pub fn user_id(&self) -> UserId {
        self.user_id
    }

    /// Where the log ended when it was made.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Whether the user runs this server.
    ///
    /// # Errors
    /// They do not, or the store failed.
    pub async fn operator(&self) -> Result<(), CommandError> {
        let (_, user) = self.loaded().await?;
        Ok(authorize::operator(&user)?)
    }

    /// What the user is in the workspace.
    ///
    /// # Errors
    /// Nothing, as far as they may know; or the store failed.
    pub async fn active_member(&self, workspace_id: WorkspaceId) -> Result<Role, CommandError> {
        let workspace = self.member_of(workspace_id).await?;
        let member = workspace.active_member(self.user_id).ok_or(AccessRefusal::WorkspaceNotFound)?;
        Ok(member.role)
    }

    /// Whether the user has that permission in the workspace.
    ///
    /// # Errors
    /// They do not, or the store failed.
    pub async fn may(&self, workspace_id: WorkspaceId, permission: Permission) -> Result<(), CommandError> {
        let workspace = self.member_of(workspace_id).await?;
        Ok(authorize::may(&workspace, self.user_id, permission)?)
    }

    /// The legal holds that stand in the workspace, where the user may see them. They are few, and effective at once:
    /// so they are told from here, and stand in no read table.
    ///
    /// # Errors
    /// They may not, or the store failed.
    pub async fn holds(&self, workspace_id: WorkspaceId) -> Result<BTreeMap<HoldId, Hold>, CommandError> {
        let workspace = self.member_of(workspace_id).await?;
        authorize::may(&workspace, self.user_id, Permission::HoldsManage)?;
        Ok(workspace.holds.clone())
    }

    /// Whether the user, who is a member, has that permission in the workspace.
    ///
    /// # Errors
    /// They are not in the workspace, as far as they may know; or the store failed.
    pub async fn allows(&self, workspace_id: WorkspaceId, permission: Permission) -> Result<bool, CommandError> {
        Ok(self.member_of(workspace_id).await?.allows(self.user_id, permission))
    }

    /// The workspace of a channel that the user may read.
    ///
    /// # Errors
    /// They may not, or the store failed.
    pub async fn channel(&self, channel_id: ChannelId) -> Result<WorkspaceId, CommandError> {
        let (mut reader, _) = self.loaded().await?;
        self.sees(&mut reader, channel_id).await?.ok_or_else(|| AccessRefusal::ChannelNotFound.into())
    }

    /// Whether the user may post to the channel just now.
    ///
    /// # Errors
    /// They may not, or the store failed.
    pub async fn may_post(&self, channel_id: ChannelId) -> Result<(), CommandError> {
        let context = Context::of(self.user_id, Utc::now(), Uuid::now_v7());
        let (_, around) = surroundings(&context, &mut Reader::new(&self.store), channel_id).await?;
        authorize::sees_channel(&around.workspace, &around.channel, self.user_id)?;
        authorize::may(&around.workspace, self.user_id, Permission::MessagePost)?;
        Ok(around.may_be_posted_to(&context)?)
    }

    /// The workspace of a channel that the user may read, where they may read its archive too.
    ///
    /// # Errors
    /// They may not, or the store failed.
    pub async fn archive(&self, channel_id: ChannelId) -> Result<WorkspaceId, CommandError> {
        let workspace_id = self.channel(channel_id).await?;
        self.may(workspace_id, Permission::ArchiveRead).await?;
        Ok(workspace_id)
    }

    /// Where a message is that the user may read.
    ///
    /// # Errors
    /// They may not, or the store failed.
    pub async fn message(&self, message_id: MessageId) -> Result<(WorkspaceId, ChannelId), CommandError> {
        let (mut reader, _) = self.loaded().await?;
        let message = reader.message(message_id).await?;
        let channel_id = authorize::posted(&message)?.channel_id;
        let workspace_id = self.sees(&mut reader, channel_id).await?.ok_or(AccessRefusal::MessageNotFound)?;
        match gone(Utc::now(), &mut reader, message_id, &message).await? {
            Some(_) => Err(MessageRefusal::Archived.into()),
            None => Ok((workspace_id, channel_id)),
        }
    }

    /// In which workspace a channel is that the user is a member of, and when a message of it was sent.
    ///
    /// # Errors
    /// They may not read it or are not a member, the message is not there, or the store failed.
    pub async fn message_of_member(
        &self,
        channel_id: ChannelId,
        message_id: MessageId,
    ) -> Result<(WorkspaceId, DateTime<Utc>), CommandError> {
        let (mut reader, _) = self.loaded().await?;
        let workspace_id = self.sees(&mut reader, channel_id).await?.ok_or(AccessRefusal::ChannelNotFound)?;
        if !reader.channel(channel_id).await?.has_member(self.user_id) {
            return Err(ChannelRefusal::NotAMember.into());
        }
        let message = reader.message(message_id).await?;
        let posting = message.posting.as_ref().filter(|posting| posting.channel_id == channel_id);
        Ok((workspace_id, posting.ok_or(AccessRefusal::MessageNotFound)?.sent_at))
    }

    /// Those of the channels that the user may read.
    ///
    /// # Errors
    /// The store failed.
    pub async fn readable_channels(&self, channels: &[ChannelId]) -> Result<HashSet<ChannelId>, CommandError> {
        let (mut reader, _) = self.loaded().await?;
        let mut readable = HashSet::new();
        for channel_id in channels {
            if !readable.contains(channel_id) && self.sees(&mut reader, *channel_id).await?.is_some() {
                readable.insert(*channel_id);
            }
        }
        Ok(readable)
    }

    /// Those of the channels of a workspace that the user may read, however many there are: each is judged in memory,
    /// at one moment.
    ///
    /// # Errors
    /// They are not in the workspace, or the store failed.
    pub async fn readable_in(&self, workspace_id: WorkspaceId, channels: &[ChannelId]) -> Result<HashSet<ChannelId>, CommandError> {
        let workspace = self.member_of(workspace_id).await?;
        let ids = channels.iter().map(|id| id.0).collect::<Vec<_>>();
        let is_readable = |channel: &Channel| {
            let is_here = channel.creation.as_ref().is_some_and(|creation| creation.workspace_id == workspace_id);
            is_here && authorize::sees_channel(&workspace, channel, self.user_id).is_ok()
        };
        let loaded = self.store.load_all::<Channel>(&ids).await?.into_iter();
        Ok(loaded.filter(|(_, channel)| is_readable(&channel.state)).map(|(id, _)| id.into()).collect())
    }

    /// Those of the workspaces that the user is an active member of.
    ///
    /// # Errors
    /// The store failed.
    pub async fn workspaces_among(&self, workspaces: &[WorkspaceId]) -> Result<HashSet<WorkspaceId>, CommandError> {
        let (mut reader, _) = self.loaded().await?;
        let mut mine = HashSet::new();
        for workspace_id in workspaces {
            if reader.workspace(*workspace_id).await?.active_member(self.user_id).is_some() {
                mine.insert(*workspace_id);
            }
        }
        Ok(mine)
    }

    /// Whether both the user and the other one are active members of one of the workspaces.
    ///
    /// # Errors
    /// The store failed.
    pub async fn shares_one_of(&self, workspaces: &[WorkspaceId], other: UserId) -> Result<bool, CommandError> {
        let (mut reader, _) = self.loaded().await?;
        for workspace_id in workspaces {
            let workspace = reader.workspace(*workspace_id).await?;
            if [self.user_id, other].iter().all(|user_id| workspace.active_member(*user_id).is_some()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Those of the users who are active members of the workspace, where the user may see who is in it.
    ///
    /// # Errors
    /// They may not, or the store failed.
    pub async fn active_members_among(&self, workspace_id: WorkspaceId, users: &[UserId]) -> Result<Vec<UserId>, CommandError> {
        let workspace = self.member_of(workspace_id).await?;
        authorize::may(&workspace, self.user_id, Permission::MemberList)?;
        Ok(users.iter().copied().filter(|user_id| workspace.active_member(*user_id).is_some()).collect())
    }

    /// What to load with, and the user, who is not suspended: neither older than the position.
    async fn loaded(&self) -> Result<(Reader<'_>, Arc<User>), CommandError> {
        let mut reader = Reader::new(&self.store);
        let user = reader.user(self.user_id).await?;
        authorize::active(&user)?;
        Ok((reader, user))
    }

    async fn member_of(&self, workspace_id: WorkspaceId) -> Result<Arc<Workspace>, CommandError> {
        let (mut reader, _) = self.loaded().await?;
        let workspace = reader.workspace(workspace_id).await?;
        authorize::sees_workspace(&workspace, self.user_id)?;
        Ok(workspace)
    }

    /// The workspace of the channel, where the user may read it.
    async fn sees(&self, reader: &mut Reader<'_>, channel_id: ChannelId) -> Result<Option<WorkspaceId>, CommandError> {
        let channel = reader.channel(channel_id).await?;
        let Some(creation) = &channel.creation else { return Ok(None) };
        let workspace = reader.workspace(creation.workspace_id).await?;
        Ok(authorize::sees_channel(&workspace, &channel, self.user_id).is_ok().then_some(creation.workspace_id))
    }
}
