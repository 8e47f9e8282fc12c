//! The list of all projections, one line each. No other file of the engine knows which projections there are, or in
//! which store each is built.

use std::collections::BTreeMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::{PgConnection, query};
use tokio_util::sync::CancellationToken;

use crate::cache;
use crate::cache::projector::Cache;
use crate::connections::Connections;
use crate::engine::projector::Projector;
use crate::relational::{self, Relational};
use crate::search::elasticsearch::{self, SearchProjector};

/// The names of all projections.
pub(crate) const NAMES: [&str; 3] = [relational::NAME, cache::NAME, elasticsearch::NAME];

/// The versions of all projections.
pub(crate) fn versions() -> BTreeMap<&'static str, i32> {
    BTreeMap::from([(relational::NAME, relational::VERSION), (cache::NAME, cache::VERSION), (elasticsearch::NAME, elasticsearch::VERSION)])
}

/// All projectors, in the order of the names. A projector is left out if the settings do not name its store.
pub(crate) fn projectors(stores: &Connections) -> Vec<Box<dyn Projector>> {
    let mut projectors: Vec<Box<dyn Projector>> = vec![Box::new(Relational::live()), Box::new(Cache::new(stores))];
    if let Some(elastic) = &stores.elastic {
        projectors.push(Box::new(SearchProjector::live(stores, elastic)));
    }
    projectors
}

/// Tasks that run beside the projectors until shutdown.
pub(crate) fn background_tasks(stores: &Connections, shutdown: &CancellationToken) -> Vec<BoxFuture<'static, ()>> {
    let tend = stores.elastic.is_some().then(|| elasticsearch::run_moves(stores.clone(), shutdown.clone()).boxed());
    tend.into_iter().collect()
}

/// Notes that rows of a projection have changed without a new event. The cache and the search index follow the
/// relational rows. So their copies of the rows behind the key are marked as out of date, and the events that wait in
/// the cache under the same key are dropped: the new rows contain them.
pub(crate) async fn rows_changed(tx: &mut PgConnection, projection: &str, park_key: &str) -> sqlx::Result<()> {
    if projection != relational::NAME {
        return Ok(());
    }
    elasticsearch::refresh_later(tx, park_key).await?;
    query!("DELETE FROM parked_keys WHERE projection = $1 AND park_key = $2", cache::NAME, park_key).execute(&mut *tx).await?;
    cache::begin_generation(tx).await.map(drop)
}
