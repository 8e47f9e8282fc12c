//! The mistakes of an input. A problem names all of them, so that a form can mark all of its wrong fields at once.

use serde::Serialize;
use utoipa::ToSchema;

/// The most mistakes that one problem names.
pub(crate) const MISTAKES_MAX: usize = 50;

/// One mistake of the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Mistake {
    /// The invalid part: a property (`name`, `members[3]`, `on.channel_id`), a parameter or a header.
    pub field: String,
    /// A stable name for programs.
    pub code: &'static str,
    /// The mistake, and the wanted value.
    pub detail: String,
    /// The place of the mistake in that part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// A part of a text, in characters (Unicode scalar values).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PlaceInText)]
pub(crate) struct Place {
    /// The number of characters before the place.
    pub offset: usize,
    /// The number of characters of the place.
    pub length: usize,
}
