//! `messages` and `messages_archive`, with one partition for each month; and `mentions`, which is derived from
//! `messages`.

mod fold;
mod partition;
mod read;
mod record;
mod rows;
mod store;
mod window;

pub(crate) use fold::{Effects, affected, apply, leave, root, root_of_new};
pub(crate) use partition::{Month, ensure as ensure_months};
pub(crate) use record::{Mention, MessageRecord, MessageTable};
pub use rows::{Cursor, EarlierText, HistoryPage, MessageDetail, MessageRow, ThreadRows};
pub(crate) use store::{load, save};
pub(crate) use window::Windows;
