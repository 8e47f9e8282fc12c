//! What changed: the events of a workspace as a client sees them, and who gets which.
//!
//! A [`frame`] is made from the event and from what the write side knows now. It does not wait for a projection. It
//! knows nothing of HTTP: every transport sends the same frames.
//!
//! | module | content |
//! |---|---|
//! | [`cursor`] | a position with the life of its log |
//! | [`audience`] | who gets an event; why nobody gets it |
//! | [`frame`] | the frames, one for each event |
//! | [`content`] | what frames show: messages, channels, people |
//! | `message` | a message, folded from its events |
//! | `make` | the frame of an event |
//! | [`changes`] | a page of frames behind a cursor |
//! | [`catalogue`] | the table of frames in docs/LIVE.md |
//!
//! Not here: whether a user belongs to an audience (`commands`).

pub mod audience;
pub mod catalogue;
pub mod changes;
pub mod content;
pub mod cursor;
pub mod frame;
mod make;
mod message;

pub use changes::{Changes, ChangesError, ChangesPage, Reset, ResetReason};
pub use cursor::Cursor;
pub use frame::EventFrame;
