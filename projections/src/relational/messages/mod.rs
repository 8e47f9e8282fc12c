//! `messages`, a partition for each month, and `mentions`, which follows from it.

mod fold;
mod partition;
mod read;
mod record;
mod rows;
mod store;

pub(crate) use fold::{Effects, apply, root, root_of_new, touched};
pub(crate) use partition::{Month, ensure as ensure_months};
pub(crate) use record::{Mention, MessageRecord};
pub use rows::{Cursor, EarlierText, HistoryPage, MessageDetail, MessageRow, ThreadRows};
pub(crate) use store::{load, save};
