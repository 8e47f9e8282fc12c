//! The write side: load, decide, append. The event store, the relay, and the import.
//!
//! Invariant: nothing here reads a projection. What a decision rests on is read from the log, and guarded in the append.

pub mod event_store;

