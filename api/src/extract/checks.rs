//! Collects the refusals of the parts of an input, so that one answer names all of them.

use crate::problem::Problem;

/// The refusals that were found so far. A handler parses each part of its input with [`Checks::note`].
///
/// ```ignore
/// let mut checks = Checks::default();
/// let (name, topic) = (checks.note(Name::parse(&self.name)), checks.note(Topic::parse(&self.topic)));
/// let (Some(name), Some(topic)) = (name, topic) else { return Err(checks.refusal()) };
/// ```
#[derive(Debug, Default)]
pub struct Checks(Option<Problem>);

/// A part of an input was refused, but no refusal was noted: a defect of the handler.
#[derive(Debug, thiserror::Error)]
#[error("an input was refused without a reason")]
struct NoReason;

impl Checks {
    /// The value, if it was not refused.
    pub fn note<T>(&mut self, parsed: Result<T, impl Into<Problem>>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(refusal) => {
                let refusal = refusal.into();
                self.0 = Some(match self.0.take() {
                    Some(first) => first.and(refusal),
                    None => refusal,
                });
                None
            }
        }
    }

    /// The problem with all refusals. The first one gives the status, the code and the detail.
    pub fn refusal(self) -> Problem {
        self.0.unwrap_or_else(|| Problem::internal(&NoReason))
    }

    /// Refuses the input if a part of it was refused.
    ///
    /// # Errors
    /// A part of the input was refused.
    pub fn pass(self) -> Result<(), Problem> {
        self.0.map_or(Ok(()), Err)
    }
}
