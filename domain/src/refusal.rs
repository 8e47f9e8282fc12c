//! A refusal: what every "no" of the domain has in common.

use std::ops::RangeInclusive;

use crate::text::InvalidText;

/// What kind of "no" it is. The doors turn it into their own vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// What was asked for is not there, or the asker may not know that it is.
    NotFound,
    /// The asker may not do that.
    Forbidden,
    /// It contradicts what has happened before.
    Conflict,
    /// The input itself is wrong.
    Invalid,
}

/// A "no" with a stable code. Its `Display` says what is wrong and what to do.
pub trait Refusal: std::error::Error + Send + Sync + 'static {
    /// A stable name, such as `channel.archived_already`.
    fn code(&self) -> &'static str;

    /// What kind of "no" it is.
    fn kind(&self) -> RefusalKind;

    /// The field of the input that is wrong, where one is.
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

/// A number that is not where it may be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be from {min} to {max}")]
pub struct OutOfRange {
    /// The field's name on the wire.
    pub field: &'static str,
    /// The least that it may be.
    pub min: u64,
    /// The most that it may be.
    pub max: u64,
}

impl OutOfRange {
    /// Checks `value` against `range`.
    ///
    /// # Errors
    /// It lies outside.
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
    /// What kind of "no" it is.
    pub kind: RefusalKind,
    /// What it says; `{0}` stands for what is only known when it is said.
    pub message: &'static str,
}

/// Every refusal of an aggregate, one a line: `Variant = "code" Kind "message"`, `Kind("field")` where a field of the input is wrong.
/// The message is the variant's documentation too. A table, so that none lacks a code, and so that the documentation can list them.
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
                        // What is said need not be about a field.
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
