//! Refusals: the trait and the table that the refusals of all aggregates share.

use std::ops::RangeInclusive;

use crate::text::InvalidText;

/// The kind of a refusal. The API and the command line translate it into their own vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The thing does not exist, or the actor may not know that it exists.
    NotFound,
    /// The actor may not do that.
    Forbidden,
    /// The command contradicts earlier events.
    Conflict,
    /// The input itself is wrong.
    Invalid,
    /// The actor has set a condition that does not hold.
    ConditionFailed,
}

/// A refusal with a stable code. Its `Display` says what is wrong and what to do.
pub trait Refusal: std::error::Error + Send + Sync + 'static {
    /// A stable name, such as `channel.archived_already`.
    fn code(&self) -> &'static str;

    /// The kind of the refusal.
    fn kind(&self) -> RefusalKind;

    /// The field of the input that is wrong, if there is one.
    fn field(&self) -> Option<&'static str> {
        None
    }
}

impl Refusal for InvalidText {
    fn code(&self) -> &'static str {
        "input.invalid"
    }

    fn kind(&self) -> RefusalKind {
        RefusalKind::Invalid
    }

    fn field(&self) -> Option<&'static str> {
        Some(self.field)
    }
}

/// The error that a number is out of its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be from {min} to {max}")]
pub struct OutOfRange {
    /// The field's name on the wire.
    pub field: &'static str,
    /// The smallest allowed value.
    pub min: u64,
    /// The largest allowed value.
    pub max: u64,
}

impl OutOfRange {
    /// Checks `value` against `range`.
    ///
    /// # Errors
    /// The value is out of the range.
    pub fn check(field: &'static str, value: impl Into<u64>, range: RangeInclusive<u64>) -> Result<(), Self> {
        if range.contains(&value.into()) {
            return Ok(());
        }
        Err(Self { field, min: *range.start(), max: *range.end() })
    }
}

/// A refusal as the documentation lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusalEntry {
    /// Its stable name.
    pub code: &'static str,
    /// The kind of the refusal.
    pub kind: RefusalKind,
    /// Its text. `{0}` is the place of a value that is known only when the refusal is made.
    pub message: &'static str,
}

/// Every refusal of an aggregate, one on each line: `Variant = "code" Kind "message"`, with `Kind("field")` if a field
/// of the input is wrong. The message is the variant's documentation too. It is a table, so that every refusal has a
/// code, and so that the documentation can list them.
macro_rules! refusals {
    ($(#[$doc:meta])* $name:ident {
        $($variant:ident $(($bind:ident: $payload:ty))? = $code:literal $kind:ident $(($field:expr))? $message:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum $name {
            $(#[doc = $message] #[error($message)] $variant $(($payload))?,)*
        }

        impl $name {
            /// Every refusal, in the order of their declaration.
            pub const ALL: &'static [$crate::refusal::RefusalEntry] = &[
                $($crate::refusal::RefusalEntry { code: $code, kind: $crate::refusal::RefusalKind::$kind, message: $message },)*
            ];
        }

        impl $crate::refusal::Refusal for $name {
            fn code(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $code,)*
                }
            }

            fn kind(&self) -> $crate::refusal::RefusalKind {
                match self {
                    $(Self::$variant { .. } => $crate::refusal::RefusalKind::$kind,)*
                }
            }

            fn field(&self) -> Option<&'static str> {
                match self {
                    $(Self::$variant $(($bind))? => {
                        // The value may be unused: it need not be about a field.
                        $(let _ = $bind;)?
                        $crate::refusal::refusals!(@field $($field)?)
                    })*
                }
            }
        }
    };
    (@field) => { None };
    (@field $field:expr) => { Some($field) };
}

pub(crate) use refusals;
