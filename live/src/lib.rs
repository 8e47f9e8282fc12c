//! The events of a workspace as clients see them, the readers of each, and the connections of a node.
//!
//! A [`frame`] is made from the event and from the present state of the write side. It does not wait for a projection. It
//! knows nothing of HTTP: every transport sends the same frames.
//!
//! | module | content |
//! |---|---|
//! | [`cursor`] | a position with the identifier of its log |
//! | [`audience`] | the readers of an event, or the reason why it has none |
//! | [`frame`] | the frames, one for each event |
//! | [`content`] | the contents of frames: messages, channels, people |
//! | `message` | a message, folded from its events |
//! | `make` | the frame of an event |
//! | `material` | reads the present contents of frames |
//! | [`changes`] | a page of frames behind a cursor |
//! | `tail` | the last events of the log |
//! | [`error`] | why frames could not be made |
//! | [`hub`] | the connections of a node, and the frames for them |
//! | [`client`], [`ephemeral`], [`close`] | the frames of clients; frames without a position; close codes |
//! | [`catalogue`] | the table of frames in docs/LIVE.md |
//! | [`watches`] | the people whose presence each connection watches |
//! | [`typing`] | the limit for frames about typing |
//!
//! Not here: whether a user belongs to an audience (`commands`).

pub mod audience;
pub mod catalogue;
pub mod changes;
pub mod client;
pub mod close;
pub mod content;
pub mod cursor;
pub mod ephemeral;
pub mod error;
pub mod frame;
pub mod hub;
mod make;
mod material;
mod message;
mod tail;
pub mod typing;
pub mod watches;

pub use changes::{Changes, ChangesPage, Reset, ResetReason};
pub use client::{ClientFrame, ClientFrames, Connected, DeviceState, FrameRefusal, NoClientFrames, RENEW_EVERY, Transport};
pub use close::Close;
pub use cursor::Cursor;
pub use ephemeral::{EphemeralFrame, EphemeralKind, Recipients};
pub use error::ChangesError;
pub use frame::EventFrame;
pub use hub::sent::Sent;
pub use hub::stats::{Ending, Stats};
pub use hub::subscription::{Ender, Subscription, pong};
pub use hub::{Bounds, Hub, Next, OpenError, Opening};
