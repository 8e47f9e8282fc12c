//! Every projector, a line each.

use crate::projector::Projector;
use crate::relational::Relational;

/// Every projector.
pub(crate) fn projectors() -> Vec<Box<dyn Projector>> {
    vec![Box::new(Relational::live())]
}

/// The names of all projections.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    projectors().into_iter().map(|projector| projector.name())
}
