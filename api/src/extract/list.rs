//! A list in a query string: its items are separated by commas.

use std::borrow::Cow;
use std::str::FromStr;

use serde::de::Error;
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

impl<'de, T: FromStr> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let item = |item: &str| item.parse().map_err(|_| D::Error::custom(format!("{item:?} is not an item of this list")));
        text.split(',').map(item).collect::<Result<_, _>>().map(Self)
    }
}
