//! Every projector, a line each.

use std::collections::BTreeMap;

use crate::cache;
use crate::cache::projector::Cache;
use crate::connections::Stores;
use crate::engine::projector::Projector;
use crate::relational::{self, Relational};
use crate::search::elasticsearch::{self, SearchProjector};

/// The names of all projections.
pub(crate) const NAMES: [&str; 3] = [relational::NAME, cache::NAME, elasticsearch::NAME];

/// The versions of all projections.
pub(crate) fn versions() -> BTreeMap<&'static str, i32> {
    BTreeMap::from([(relational::NAME, relational::VERSION), (cache::NAME, cache::VERSION), (elasticsearch::NAME, elasticsearch::VERSION)])
}

/// Every projector, in the order of the names. That of a store which the settings do not want is left out.
pub(crate) fn projectors(stores: &Stores) -> Vec<Box<dyn Projector>> {
    let mut projectors: Vec<Box<dyn Projector>> = vec![Box::new(Relational::live()), Box::new(Cache::new(stores))];
    if let Some(elastic) = &stores.elastic {
        projectors.push(Box::new(SearchProjector::live(stores, elastic)));
    }
    projectors
}
