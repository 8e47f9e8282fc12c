//! A list in a query string, with a limit.

use serde::{Deserialize, Deserializer};

use crate::problem::Problem;

/// The items of a list in a query string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T> List<T> {
    /// The items of a list of at most `items_max` items.
    ///
    /// # Errors
    /// There are more items. The problem names the field.
    pub fn at_most(&self, field: &'static str, items_max: usize) -> Result<&[T], Problem> {
        if self.0.len() <= items_max {
            return Ok(&self.0);
        }
        let detail = format!("{field} must have at most {items_max} items: ask for the others with further requests");
        Err(Problem::malformed("request.query_invalid", Some(field.into()), detail))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self)
    }
}
