//! The reader that decisions load aggregates with. It records the version of each stream that it reads, and the append
//! checks all of them. So no command lists its guards by hand, and no command can forget one.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::ids::{ChannelId, MessageId, RetentionId, SessionId, UserId, WorkspaceId};
use domain::{Audit, Channel, Installation, Message, Retention, Session, StreamId, User, Workspace};

use crate::StoreError;
use crate::event_store::{EventStore, Stored, Versioned};

/// Loads aggregates, and records their streams and versions.
pub(crate) struct Reader<'a> {
    store: &'a EventStore,
    versions: BTreeMap<StreamId, i64>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(store: &'a EventStore) -> Self {
        Self { store, versions: BTreeMap::new() }
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

    /// The messages of one month of a channel that the retention policy has removed.
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
        // The oldest version counts: a decision that read two versions is outdated.
        self.versions.entry(stream).and_modify(|version| *version = loaded.version.min(*version)).or_insert(loaded.version);
        loaded.state
    }

    /// The streams that were read, with their versions.
    pub(crate) fn into_versions(self) -> BTreeMap<StreamId, i64> {
        self.versions
    }
}
