//! The interface of the event store that an import needs: a few queries, and an append that is done as a whole or not
//! at all.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use domain::ids::{ChannelId, MessageId, WorkspaceId};
use domain::{Channel, Message, StreamId, Workspace};
use uuid::Uuid;

use commands::event_store::{Append, Claim, EventStore, Outcome, StoreError, Stored};

/// The target of imported events: the event store, or a store in memory in the tests of the mapping.
pub trait Sink: Send + Sync {
    /// Returns the versions of the streams that exist.
    fn versions(&self, streams: &[StreamId]) -> impl Future<Output = Result<HashMap<StreamId, i64>, StoreError>> + Send;

    /// Returns the holders of the claims that are held.
    fn holders(&self, claims: &[Claim]) -> impl Future<Output = Result<HashMap<Claim, Uuid>, StoreError>> + Send;

    /// Returns the workspace, and its version.
    fn workspace(&self, id: WorkspaceId) -> impl Future<Output = Result<(Arc<Workspace>, i64), StoreError>> + Send;

    /// Returns the channel, and its version.
    fn channel(&self, id: ChannelId) -> impl Future<Output = Result<(Arc<Channel>, i64), StoreError>> + Send;

    /// Returns the message, and its version.
    fn message(&self, id: MessageId) -> impl Future<Output = Result<(Arc<Message>, i64), StoreError>> + Send;

    /// Appends everything or nothing, and returns the outcome.
    fn append(&self, request: Append) -> impl Future<Output = Result<Outcome, StoreError>> + Send;
}

impl Sink for EventStore {
    async fn versions(&self, streams: &[StreamId]) -> Result<HashMap<StreamId, i64>, StoreError> {
        EventStore::versions(self, streams).await
    }

    async fn holders(&self, claims: &[Claim]) -> Result<HashMap<Claim, Uuid>, StoreError> {
        EventStore::holders(self, claims).await
    }

    async fn workspace(&self, id: WorkspaceId) -> Result<(Arc<Workspace>, i64), StoreError> {
        fresh(self, id.0).await
    }

    async fn channel(&self, id: ChannelId) -> Result<(Arc<Channel>, i64), StoreError> {
        fresh(self, id.0).await
    }

    async fn message(&self, id: MessageId) -> Result<(Arc<Message>, i64), StoreError> {
        fresh(self, id.0).await
    }

    async fn append(&self, request: Append) -> Result<Outcome, StoreError> {
        EventStore::append(self, request).await
    }
}

/// The store's memory may be older than events of another node: it reads the log up to its end first.
async fn fresh<A: Stored>(store: &EventStore, id: Uuid) -> Result<(Arc<A>, i64), StoreError> {
    store.catch_up().await?;
    let loaded = store.load::<A>(id).await?;
    Ok((loaded.state, loaded.version))
}
