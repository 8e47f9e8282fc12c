//! Every projector, a line each.

use crate::relational;

/// The names of all projections.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    [relational::NAME].into_iter()
}
