//! Copies in Redis of answers that Postgres could give too. They exist only for speed. Redis may be gone, empty or
//! behind at any time, and no answer becomes wrong because of it
//! (docs/decisions/0009-the-cache-follows-the-read-tables.md).
//!
//! Handlers read from [`Caches`]: `page` has the newest messages of a channel, `unread` the unread counts of a user,
//! `read_marker` how far a user has read, `members` the members of a channel. `projector` updates them from the log.
//! `generation` decides which of them are valid.

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
pub(crate) use unread::count_unread;

/// The projection's name.
pub(crate) const NAME: &str = "cache";

/// The projection's version. Raise it when the form of the cached data changes: older data is then no longer read.
pub(crate) const VERSION: i32 = 2;
