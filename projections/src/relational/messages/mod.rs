//! `messages`, a partition for each month, and `mentions`, which follows from it.

mod read;
mod rows;

pub use rows::{Cursor, EarlierText, HistoryPage, MessageDetail, MessageRow, ThreadRows};
