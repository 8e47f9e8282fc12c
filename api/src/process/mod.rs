//! Processes: what acts because of what the log says, or because it is time. Each has a cursor of its own in `process_cursors`, and is never
//! replayed: what it did is done.
//!
//! [`retention`] looks at what is due and has it leave; [`daily`] says when. [`erasure`] carries out what people asked for, one holder at a time.
//! [`purge`] empties the log of what the log says is emptied. [`proof_key`] tells the log of a key that signs it.

pub mod cursor;
pub mod daily;
pub mod erasure;
pub mod proof_key;
pub mod purge;
pub mod retention;
