//! Tests of the mapping, with exports made by the tests and with real ones. They check the events, without the event
//! store.

mod archives;
mod exports;
mod foreign_input;
mod hostile;
mod mapping;
mod memory;
mod odd_exports;
mod people_and_channels;
mod resuming;
mod sample;
