//! People: whom the user sees in a workspace, and whose profile. A guest sees the people of the guest's channels
//! (docs/decisions/0030-guests-see-the-people-of-their-channels.md).

use std::sync::Arc;

use domain::Channel;
use domain::ids::{ChannelId, UserId, WorkspaceId};

use super::ReadAccess;
use crate::CommandError;

/// The people of a workspace whom a user sees: everybody, or, if the user is a guest, the people in the guest's
/// channels. A guest sees nobody's address.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    guest: Option<Guest>,
}

#[derive(Clone, Debug)]
struct Guest {
    user_id: UserId,
    channels: Vec<(ChannelId, Arc<Channel>)>,
}

impl Sight {
    /// The sight of a user who is not a guest.
    #[must_use]
    pub fn of_everybody() -> Self {
        Self::default()
    }

    /// Whether the user sees this person.
    #[must_use]
    pub fn sees(&self, person: UserId) -> bool {
        let is_in_sight = |guest: &Guest| guest.user_id == person || guest.channels.iter().any(|(_, channel)| channel.has_member(person));
        self.guest.as_ref().is_none_or(is_in_sight)
    }

    /// Whether the user sees this person's mail address and telephone number.
    #[must_use]
    pub fn sees_address(&self, person: UserId) -> bool {
        self.guest.as_ref().is_none_or(|guest| guest.user_id == person)
    }

    /// The channels in which a guest sees people. `None` if the user is not a guest.
    #[must_use]
    pub fn channels(&self) -> Option<Vec<ChannelId>> {
        self.guest.as_ref().map(|guest| guest.channels.iter().map(|(id, _)| *id).collect())
    }
}

impl ReadAccess {
    /// Whether the user and the other user are active members of at least one common workspace of the list, in which the
    /// user is not a guest.
    ///
    /// # Errors
    /// The store failed.
    pub async fn shares_one_of(&self, workspaces: &[WorkspaceId], other: UserId) -> Result<bool, CommandError> {
        let (mut reader, _) = self.loaded().await?;
        for workspace_id in workspaces {
            let workspace = reader.workspace(*workspace_id).await?;
            let are_members = [self.user_id, other].iter().all(|user_id| workspace.active_member(*user_id).is_some());
            if are_members && !workspace.has_guest(self.user_id) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the user and the other user are both members of at least one channel of the list, and active members of
    /// its workspace.
    ///
    /// # Errors
    /// The store failed.
    pub async fn shares_a_channel(&self, channels: &[ChannelId], other: UserId) -> Result<bool, CommandError> {
        let (mut reader, _) = self.loaded().await?;
        for channel_id in channels {
            let channel = reader.channel(*channel_id).await?;
            let Some(creation) = &channel.creation else { continue };
            let workspace = reader.workspace(creation.workspace_id).await?;
            let is_here = |user_id: &UserId| workspace.active_member(*user_id).is_some() && channel.has_member(*user_id);
            if [self.user_id, other].iter().all(is_here) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the people of the workspace whom a guest sees. `channels` are the guest's channels from the read side:
    /// each is checked here.
    ///
    /// # Errors
    /// The user is not a member of the workspace, or the store failed.
    pub async fn people_of_guest(&self, workspace_id: WorkspaceId, channels: &[ChannelId]) -> Result<Sight, CommandError> {
        self.member_of(workspace_id).await?;
        let ids = channels.iter().map(|id| id.0).collect::<Vec<_>>();
        let is_theirs = |channel: &Channel| {
            let is_here = channel.creation.as_ref().is_some_and(|creation| creation.workspace_id == workspace_id);
            is_here && channel.has_member(self.user_id)
        };
        let loaded = self.store.load_all::<Channel>(&ids).await?.into_iter();
        let theirs = loaded.filter(|(_, channel)| is_theirs(&channel.state)).map(|(id, channel)| (id.into(), channel.state));
        Ok(Sight { guest: Some(Guest { user_id: self.user_id, channels: theirs.collect() }) })
    }
}
