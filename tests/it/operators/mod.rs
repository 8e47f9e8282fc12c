//! What an operator does and sees in the first month: set up, watch, stop, restore, rotate. With the real binary where an
//! operator uses it.

mod alerts;
mod dry_run;
mod errors;
mod keys;
mod logs;
mod moments;
mod outages;
mod people;
mod restoring;
mod rights;
mod settings;
mod stopping;
mod tls;
mod watching;
