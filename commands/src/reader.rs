//! What a decision loads from. Reading is guarding: each stream that is read is noted with the version that was seen, and the append checks
//! them all. So no command lists its guards by hand, and none can forget one.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::ids::{ChannelId, MessageId, SessionId, UserId, WorkspaceId};
use domain::{Audit, Channel, Installation, Message, Session, StreamId, User, Workspace};

use crate::StoreError;
use crate::event_store::{EventStore, Stored};

/// Loads aggregates, and notes which, at which version.
pub(crate) struct Reader<'a> {
    store: &'a EventStore,
    seen: BTreeMap<StreamId, i64>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(store: &'a EventStore) -> Self {
        Self { store, seen: BTreeMap::new() }
    }

    pub(crate) async fn user(&mut self, id: UserId) -> Result<Arc<User>, StoreError> {
        self.read(StreamId::user(id)).await
    }

    pub(crate) async fn workspace(&mut self, id: WorkspaceId) -> Result<Arc<Workspace>, StoreError> {
        self.read(StreamId::workspace(id)).await
    }

    pub(crate) async fn channel(&mut self, id: ChannelId) -> Result<Arc<Channel>, StoreError> {
        self.read(StreamId::channel(id)).await
    }

    pub(crate) async fn message(&mut self, id: MessageId) -> Result<Arc<Message>, StoreError> {
        self.read(StreamId::message(id)).await
    }

    pub(crate) async fn installation(&mut self) -> Result<Arc<Installation>, StoreError> {
        self.read(StreamId::INSTALLATION).await
    }

    pub(crate) async fn session(&mut self, id: SessionId) -> Result<Arc<Session>, StoreError> {
        self.read(StreamId::session(id)).await
    }

    pub(crate) async fn audit(&mut self, id: WorkspaceId) -> Result<Arc<Audit>, StoreError> {
        self.read(StreamId::audit(id)).await
    }

    async fn read<A: Stored>(&mut self, stream: StreamId) -> Result<Arc<A>, StoreError> {
        let loaded = self.store.load::<A>(stream.id).await?;
        // The oldest view counts: a decision that saw two is stale.
        self.seen.entry(stream).and_modify(|seen| *seen = loaded.version.min(*seen)).or_insert(loaded.version);
        Ok(loaded.state)
    }

    /// What was read, with the versions that were seen.
    pub(crate) fn into_seen(self) -> BTreeMap<StreamId, i64> {
        self.seen
    }
}
