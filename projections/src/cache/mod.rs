//! What is kept in Redis: a copy of what Postgres could answer, for speed alone. Redis may be gone, emptied or behind at any time, and
//! nobody is answered wrongly for it (docs/decisions/0009-the-cache-follows-the-read-tables.md).
//!
//! [`Caches`] is what the doors read from: `page` the newest messages of a channel, `unread` what
//! somebody has not read, `read_marker` how far they have, `members` who is in a channel. `projector` keeps it up with the log, and
//! `generation` says what of it is to be believed.

mod caches;
mod forget;
mod generation;
mod members;
mod page;
mod place;
pub(crate) mod projector;
mod read_marker;
mod replay;
mod scripts;
mod unread;

pub use caches::{CacheStats, Caches};
pub use members::FirstMembers;
pub use page::RecentMessages;
pub use read_marker::{MarkerMove, ReadMarker};
pub use unread::{ChannelUnread, UNREAD_MAX, Unread};

pub(crate) use generation::begin as begin_generation;
pub(crate) use replay::replay;

/// The projection's name.
pub(crate) const NAME: &str = "cache";

/// Its version: raise it where what is cached is written in another form than before. What is cached is then forgotten.
pub(crate) const VERSION: i32 = 1;
