//! `messages` and `messages_archive`, with one partition for each month; and `mentions`, which is derived from
//! `messages`; `message_edits`, their earlier texts; and
//! `message_reactions`, the people who reacted.

mod edits;
mod fold;
mod indexed;
mod partition;
mod posted;
mod reactions;
mod read;
mod record;
mod rows;
mod store;
mod threads;
mod window;

pub(crate) use edits::EditRecord;
pub use edits::{EarlierPage, EditPlace};
pub(crate) use fold::{Effects, affected, apply, leave, root, root_of_new};
pub(crate) use partition::{Month, ensure as ensure_months};
pub(crate) use reactions::ReactionRecord;
pub use reactions::ReactionRow;
pub(crate) use read::newest;
pub(crate) use record::{ArchivedMessage, Mention, MessageRecord, MessageTable};
pub use rows::{Cursor, EarlierText, EditRow, HistoryPage, MessageDetail, MessageRow, ThreadRows, ThreadSummary};
pub(crate) use store::{load, save};
pub(crate) use threads::add_threads;
pub(crate) use window::Windows;
