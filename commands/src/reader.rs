//! What a decision loads from. Reading is guarding: each stream that is read is noted with the version that was seen, and the append checks
//! them all. So no command lists its guards by hand, and none can forget one.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::ids::{ChannelId, MessageId, RetentionId, SessionId, UserId, WorkspaceId};
use domain::{Audit, Channel, Installation, Message, Retention, Session, StreamId, User, Workspace};

use crate::StoreError;
use crate::event_store::{EventStore, Stored, Versioned};

/// Loads aggregates, and notes which, at which version.
pub(crate) struct Reader<'a> {
    store: &'a EventStore,
    seen: BTreeMap<StreamId, i64>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(store: &'a EventStore) -> Self {
        Self { store, seen: BTreeMap::new() }
    }

    /// The store that it reads.
    pub(crate) fn store(&self) -> &'a EventStore {
        self.store
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

    /// What retention has done to the messages of a month of a channel.
    pub(crate) async fn retention(&mut self, id: RetentionId) -> Result<Arc<Retention>, StoreError> {
        self.read(StreamId::retention(id)).await
    }

    /// Many messages.
    pub(crate) async fn messages(&mut self, ids: &[MessageId]) -> Result<BTreeMap<MessageId, Arc<Message>>, StoreError> {
        let ids = ids.iter().map(|id| id.0).collect::<Vec<_>>();
        let loaded = self.store.load_all::<Message>(&ids).await?.into_iter();
        Ok(loaded.map(|(id, loaded)| (id.into(), self.note(StreamId::message(id), loaded))).collect())
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
        Ok(self.note(stream, loaded))
    }

    fn note<A>(&mut self, stream: StreamId, loaded: Versioned<A>) -> Arc<A> {
        // The oldest view counts: a decision that saw two is stale.
        self.seen.entry(stream).and_modify(|seen| *seen = loaded.version.min(*seen)).or_insert(loaded.version);
        loaded.state
    }

    /// What was read, with the versions that were seen.
    pub(crate) fn into_seen(self) -> BTreeMap<StreamId, i64> {
        self.seen
    }
}
