//! Access checks for queries. They are made here, and not on the read side.
//!
//! Each request asks for the end of the log once, after it has arrived. It is checked against the log up to that
//! position. So if a removal was acknowledged before the request arrived, the answer respects it, however far a
//! projection lags. A query that waits for a projection waits first, and makes its [`ReadAccess`] afterwards. A query
//! that reads for a long time checks its rows with a newer one.

mod among;
mod audience;
mod live;
mod past;
mod shown;
mod sight;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use domain::channel::ChannelRefusal;
use domain::ids::{ChannelId, HoldId, MessageId, UserId, WorkspaceId};
use domain::message::MessageRefusal;
use domain::permission::{Permission, Role};
use domain::text::{EmojiName, WorkspaceDomain};
use domain::workspace::Hold;
use domain::{Channel, Context, StreamId, User, Workspace};
use uuid::Uuid;

use crate::access_refusal::AccessRefusal;
use crate::event_store::{Claim, ClaimKind, EventStore, Stored};
use crate::messages::{gone, related_aggregates};
use crate::reader::Reader;
use crate::{CommandError, Commands, authorize};

pub use among::ListedChannel;
pub use audience::{Audience, People};
pub use live::{Judgement, LiveAccess, Moment, Reach};
pub use past::Past;
pub use shown::Shown;
pub use sight::Sight;

/// How long a [`ReadAccess`] counts as recent.
const RECENT_MAX: Duration = Duration::from_secs(1);

impl Commands {
    /// Returns the access of the user, as of now.
    ///
    /// # Errors
    /// The user does not exist or is suspended, or the store failed.
    pub async fn read_access(&self, user_id: UserId) -> Result<ReadAccess, CommandError> {
        ReadAccess::of(self.store.clone(), user_id).await
    }

    /// Returns the present state of a user.
    ///
    /// # Errors
    /// The store failed.
    pub async fn user_state(&self, id: UserId) -> Result<Arc<User>, CommandError> {
        Ok(self.fresh().await?.user(id).await?)
    }

    /// Returns the present state of a workspace.
    ///
    /// # Errors
    /// The store failed.
    pub async fn workspace_state(&self, id: WorkspaceId) -> Result<Arc<Workspace>, CommandError> {
        Ok(self.fresh().await?.workspace(id).await?)
    }

    /// Returns the present states of workspaces, all as of the same moment.
    ///
    /// # Errors
    /// The store failed.
    pub async fn workspace_states(&self, ids: &[WorkspaceId]) -> Result<HashMap<WorkspaceId, Arc<Workspace>>, CommandError> {
        self.store.catch_up().await?;
        let ids = ids.iter().map(|id| id.0).collect::<Vec<_>>();
        let loaded = self.store.load_all::<Workspace>(&ids).await?.into_iter();
        Ok(loaded.map(|(id, workspace)| (id.into(), workspace.state)).collect())
    }

    /// Returns the workspace that has this domain.
    ///
    /// # Errors
    /// No workspace has it, or the store failed.
    pub async fn workspace_at(&self, domain: &WorkspaceDomain) -> Result<WorkspaceId, CommandError> {
        let claim = Claim::on_server(ClaimKind::WorkspaceDomain, domain.as_str());
        let holder = self.store.holders(std::slice::from_ref(&claim)).await?.remove(&claim);
        Ok(holder.ok_or(AccessRefusal::WorkspaceNotFound)?.into())
    }

    /// Returns a page of all users, in the order of their identifiers, with their present states.
    ///
    /// # Errors
    /// The store failed.
    pub async fn page_of_users(&self, after: Option<UserId>, limit: u16) -> Result<Vec<(UserId, Arc<User>)>, CommandError> {
        let page = self.page::<User>(after.map(|id| id.0), limit).await?;
        Ok(page.into_iter().map(|(id, user)| (id.into(), user)).collect())
    }

    /// Returns a page of all workspaces, in the order of their identifiers, with their present states.
    ///
    /// # Errors
    /// The store failed.
    pub async fn page_of_workspaces(
        &self,
        after: Option<WorkspaceId>,
        limit: u16,
    ) -> Result<Vec<(WorkspaceId, Arc<Workspace>)>, CommandError> {
        let page = self.page::<Workspace>(after.map(|id| id.0), limit).await?;
        Ok(page.into_iter().map(|(id, workspace)| (id.into(), workspace)).collect())
    }

    async fn page<A: Stored>(&self, after: Option<Uuid>, limit: u16) -> Result<Vec<(Uuid, Arc<A>)>, CommandError> {
        self.store.catch_up().await?;
        let ids = self.store.page_of::<A>(after, limit).await?;
        let mut page = self.store.load_all::<A>(&ids).await?;
        page.sort_by_key(|(id, _)| *id);
        Ok(page.into_iter().map(|(id, loaded)| (id, loaded.state)).collect())
    }

    /// Returns the present state of a channel.
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

/// The access of a user, as of a position of the log or later: events that this process learns of afterwards count too.
/// It is made for one request. An answer that takes longer, such as a stream, [renews](ReadAccess::renewed) it from
/// time to time.
#[derive(Clone)]
pub struct ReadAccess {
    store: EventStore,
    user_id: UserId,
    position: i64,
    /// When the end of the log was read.
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

    /// Returns the same user's access, as of now.
    ///
    /// # Errors
    /// The user is suspended now, or the store failed.
    pub async fn renewed(&self) -> Result<Self, CommandError> {
        Self::of(self.store.clone(), self.user_id).await
    }

    /// Returns this access if it is less than a second old, and else a new one. It is for rows that took long to read.
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

    /// The end of the log when this access was made.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Checks that the user is an operator of this server.
    ///
    /// # Errors
    /// The user is not an operator, or the store failed.
    pub async fn operator(&self) -> Result<(), CommandError> {
        let (_, user) = self.loaded().await?;
        Ok(authorize::operator(&user)?)
    }

    /// Returns the user's role in the workspace.
    ///
    /// # Errors
    /// The workspace does not exist, or the user is not a member of it; or the store failed.
    pub async fn active_member(&self, workspace_id: WorkspaceId) -> Result<Role, CommandError> {
        let workspace = self.member_of(workspace_id).await?;
        let member = workspace.active_member(self.user_id).ok_or(AccessRefusal::WorkspaceNotFound)?;
        Ok(member.role)
    }

    /// Checks that the user has the permission in the workspace.
    ///
    /// # Errors
    /// The user lacks the permission, or the store failed.
    pub async fn may(&self, workspace_id: WorkspaceId, permission: Permission) -> Result<(), CommandError> {
        let workspace = self.member_of(workspace_id).await?;
        Ok(authorize::may(&workspace, self.user_id, permission)?)
    }

    /// Returns the legal holds of the workspace, if the user may see them. They are few, and must take effect at once.
    /// So they are read from the aggregate, and no read table has them.
    ///
    /// # Errors
    /// The user may not see them, or the store failed.
    pub async fn holds(&self, workspace_id: WorkspaceId) -> Result<BTreeMap<HoldId, Hold>, CommandError> {
        let workspace = self.member_of(workspace_id).await?;
        authorize::may(&workspace, self.user_id, Permission::HoldsManage)?;
        Ok(workspace.holds.clone())
    }

    /// Returns the names of the workspace's own emojis. They are few, and the write side knows them.
    ///
    /// # Errors
    /// The workspace does not exist, or the user is not a member of it; or the store failed.
    pub async fn emojis(&self, workspace_id: WorkspaceId) -> Result<BTreeSet<EmojiName>, CommandError> {
        Ok(self.member_of(workspace_id).await?.emojis.clone())
    }

    /// Returns the user's role in the workspace, and all permissions that the user has in it, in the order of their table.
    ///
    /// # Errors
    /// The workspace does not exist, or the user is not a member of it; or the store failed.
    pub async fn rights(&self, workspace_id: WorkspaceId) -> Result<(Role, Vec<Permission>), CommandError> {
        let workspace = self.member_of(workspace_id).await?;
        let member = workspace.active_member(self.user_id).ok_or(AccessRefusal::WorkspaceNotFound)?;
        let permissions = Permission::ALL.iter().copied().filter(|permission| workspace.allows(self.user_id, *permission));
        Ok((member.role, permissions.collect()))
    }

    /// Whether the user, who must be a member, has the permission in the workspace.
    ///
    /// # Errors
    /// The workspace does not exist, or the user is not a member of it; or the store failed.
    pub async fn allows(&self, workspace_id: WorkspaceId, permission: Permission) -> Result<bool, CommandError> {
        Ok(self.member_of(workspace_id).await?.allows(self.user_id, permission))
    }

    /// Returns the workspace of a channel that the user may read.
    ///
    /// # Errors
    /// The user may not read the channel, or the store failed.
    pub async fn channel(&self, channel_id: ChannelId) -> Result<WorkspaceId, CommandError> {
        let (mut reader, _) = self.loaded().await?;
        self.sees(&mut reader, channel_id).await?.ok_or_else(|| AccessRefusal::ChannelNotFound.into())
    }

    /// Checks that the user may post to the channel now.
    ///
    /// # Errors
    /// The user may not post, or the store failed.
    pub async fn may_post(&self, channel_id: ChannelId) -> Result<(), CommandError> {
        let context = Context::of(self.user_id, Utc::now(), Uuid::now_v7());
        let (_, related) = related_aggregates(&context, &mut Reader::new(&self.store), channel_id).await?;
        authorize::sees_channel(&related.workspace, &related.channel, self.user_id)?;
        authorize::may(&related.workspace, self.user_id, Permission::MessagePost)?;
        Ok(related.may_be_posted_to(&context)?)
    }

    /// Returns the workspace of a channel, if the user may read the channel and its archive.
    ///
    /// # Errors
    /// The user may not read it, or the store failed.
    pub async fn archive(&self, channel_id: ChannelId) -> Result<WorkspaceId, CommandError> {
        let workspace_id = self.channel(channel_id).await?;
        self.may(workspace_id, Permission::ArchiveRead).await?;
        Ok(workspace_id)
    }

    /// Returns the workspace and the channel of a message that the user may read.
    ///
    /// # Errors
    /// The user may not read the message, or the store failed.
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

    /// Returns the workspace of a channel that the user is a member of, and the moment of one of its messages: its place
    /// in the channel.
    ///
    /// # Errors
    /// The user may not read the channel or is not a member, the message does not exist, or the store failed.
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
        let posting = posting.ok_or(AccessRefusal::MessageNotFound)?;
        let recorded_at = reader.store().first_recorded_at(StreamId::message(message_id)).await?;
        Ok((workspace_id, posting.created_at(recorded_at.ok_or(AccessRefusal::MessageNotFound)?)))
    }

    /// Returns a reader, and the user, who is not suspended. Neither is older than this access's position.
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

    /// Returns the workspace of the channel, if the user may read the channel.
    async fn sees(&self, reader: &mut Reader<'_>, channel_id: ChannelId) -> Result<Option<WorkspaceId>, CommandError> {
        let channel = reader.channel(channel_id).await?;
        let Some(creation) = &channel.creation else { return Ok(None) };
        let workspace = reader.workspace(creation.workspace_id).await?;
        Ok(authorize::sees_channel(&workspace, &channel, self.user_id).is_ok().then_some(creation.workspace_id))
    }
}
