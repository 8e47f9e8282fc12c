//! What an operator does and sees in the first month: set up, watch, stop, restore, rotate. With the real binary where an
//! operator uses it.

mod alerts;
mod errors;
mod outages;
mod rights;
mod settings;
mod stopping;
mod tls;
mod watching;
