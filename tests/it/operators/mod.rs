//! What an operator does and sees in the first month: set up, watch, stop, restore, rotate. With the real binary where an
//! operator uses it.

mod alerts;
mod connections;
mod credentials;
mod deploy;
mod dry_run;
mod errors;
mod keys;
mod load;
mod logs;
mod moments;
mod month;
mod nginx;
mod node;
mod outages;
mod owner;
mod people;
mod read_only;
mod restoring;
mod rights;
mod settings;
mod stopping;
mod tls;
mod units;
mod watching;
