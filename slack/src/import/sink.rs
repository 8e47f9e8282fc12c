//! What the import needs of the event store: a few questions, and an append that does all or nothing.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use domain::ids::{ChannelId, MessageId, WorkspaceId};
use domain::{Channel, Message, StreamId, Workspace};
use uuid::Uuid;

use commands::event_store::{Append, Claim, EventStore, Outcome, StoreError, Stored};

/// Where imported events go. The event store is one; the tests of the mapping have another, in memory.
pub trait Sink: Send + Sync {
    /// The versions of those streams that are there.
    fn versions(&self, streams: &[StreamId]) -> impl Future<Output = Result<HashMap<StreamId, i64>, StoreError>> + Send;

    /// Who holds those of the claims that are held.
    fn holders(&self, claims: &[Claim]) -> impl Future<Output = Result<HashMap<Claim, Uuid>, StoreError>> + Send;

    /// The workspace, and its version.
    fn workspace(&self, id: WorkspaceId) -> impl Future<Output = Result<(Arc<Workspace>, i64), StoreError>> + Send;

    /// The channel, and its version.
    fn channel(&self, id: ChannelId) -> impl Future<Output = Result<(Arc<Channel>, i64), StoreError>> + Send;

    /// The message, and its version.
    fn message(&self, id: MessageId) -> impl Future<Output = Result<(Arc<Message>, i64), StoreError>> + Send;

    /// Appends all of it, or nothing, and says which.
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

/// What the store holds in memory may be older than what another node has written: first everything is heard of.
async fn fresh<A: Stored>(store: &EventStore, id: Uuid) -> Result<(Arc<A>, i64), StoreError> {
    store.catch_up().await?;
    let loaded = store.load::<A>(id).await?;
    Ok((loaded.state, loaded.version))
}
