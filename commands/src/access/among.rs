//! Lists: which of these channels, workspaces or people the user may see. The read side made the list.

use std::collections::HashSet;

use domain::Channel;
use domain::channel::ChannelRefusal;
use domain::ids::{ChannelId, UserId, WorkspaceId};
use domain::permission::Permission;

use super::ReadAccess;
use crate::{CommandError, authorize};

/// How many channels one question may load. Of a longer list, most are judged as they are listed.
const LOADED_MAX: usize = 1_000;

/// A channel of a workspace, as the read side lists it for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedChannel {
    /// The channel.
    pub channel_id: ChannelId,
    /// Whether it is a public channel.
    pub is_public: bool,
    /// Whether the user is in it.
    pub is_member: bool,
}

impl ReadAccess {
    /// Returns those of the channels that the user may read.
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

    /// Returns those of a workspace's channels that the user may read. Their number is not limited: each is checked in
    /// memory, as of the same moment.
    ///
    /// # Errors
    /// The user is not a member of the workspace, or the store failed.
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

    /// Returns those of a workspace's channels that the user may read, from a list of the read side. Its rows are as of
    /// the position `read_at`, if they lack no event up to there.
    ///
    /// The user may be in tens of thousands of channels. Loading each would push the channels of everybody else out of
    /// memory. So of a long list, only the channels that have changed since `read_at` are loaded. The rule is applied
    /// to the others as they are listed: no later event says anything else about them.
    ///
    /// # Errors
    /// The user is not a member of the workspace, or the store failed.
    pub async fn readable_among(
        &self,
        workspace_id: WorkspaceId,
        listed: &[ListedChannel],
        read_at: Option<i64>,
    ) -> Result<HashSet<ChannelId>, CommandError> {
        let all = || listed.iter().map(|channel| channel.channel_id).collect::<Vec<_>>();
        let Some(read_at) = read_at.filter(|_| listed.len() > LOADED_MAX) else {
            return self.readable_in(workspace_id, &all()).await;
        };
        let changed = self.store.channels_changed_since(read_at).await?;
        let (changed, unchanged) = listed.iter().partition::<Vec<&ListedChannel>, _>(|channel| changed.contains(&channel.channel_id.0));
        let changed = changed.into_iter().map(|channel: &ListedChannel| channel.channel_id).collect::<Vec<_>>();
        let mut readable = self.readable_in(workspace_id, &changed).await?;
        let workspace = self.member_of(workspace_id).await?;
        let sees = |channel: &&&ListedChannel| authorize::sees_one(&workspace, self.user_id, channel.is_public, channel.is_member);
        readable.extend(unchanged.iter().filter(sees).map(|channel| channel.channel_id));
        Ok(readable)
    }

    /// Returns those of the workspaces that the user is an active member of.
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

    /// Returns those of the channels that are named and have no member in the workspace.
    ///
    /// # Errors
    /// The user is not an owner of the workspace, or the store failed.
    pub async fn channels_without_members(
        &self,
        workspace_id: WorkspaceId,
        channels: &[ChannelId],
    ) -> Result<HashSet<ChannelId>, CommandError> {
        let workspace = self.member_of(workspace_id).await?;
        if !workspace.has_owner(self.user_id) {
            return Err(ChannelRefusal::AdoptedByOwners.into());
        }
        let ids = channels.iter().map(|id| id.0).collect::<Vec<_>>();
        let is_found = |channel: &Channel| {
            let is_here = channel.creation.as_ref().is_some_and(|creation| creation.workspace_id == workspace_id);
            is_here && authorize::finds_it_without_members(&workspace, channel, self.user_id)
        };
        let loaded = self.store.load_all::<Channel>(&ids).await?.into_iter();
        Ok(loaded.filter(|(_, channel)| is_found(&channel.state)).map(|(id, _)| id.into()).collect())
    }

    /// Returns those of the users who are active members of the workspace, if the user may list its members.
    ///
    /// # Errors
    /// The user may not list them, or the store failed.
    pub async fn active_members_among(&self, workspace_id: WorkspaceId, users: &[UserId]) -> Result<Vec<UserId>, CommandError> {
        let workspace = self.member_of(workspace_id).await?;
        authorize::may(&workspace, self.user_id, Permission::MemberList)?;
        Ok(users.iter().copied().filter(|user_id| workspace.active_member(*user_id).is_some()).collect())
    }
}
