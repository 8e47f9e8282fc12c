//! Every projector, a line each.

use crate::projector::Projector;
use crate::relational::{self, Relational};
use crate::stores::Stores;

/// The names of all projections.
pub(crate) const NAMES: [&str; 1] = [relational::NAME];

/// Every projector, in the order of the names.
pub(crate) fn projectors(_stores: &Stores) -> Vec<Box<dyn Projector>> {
    vec![Box::new(Relational::live())]
}
