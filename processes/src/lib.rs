//! Processes: what acts because of what the log says, or because it is time, beside requests. Each has a cursor of its own in
//! `process_cursors`, or a schedule, and is never replayed: what it did is done.
//!
//! [`retention`] looks at what is due and has it leave; [`daily`] says when. [`erasure`] carries out what people asked for, one holder at a time.
//! [`purge`] empties the log of what the log says is emptied. [`proof_key`] tells the log of a key that signs it. [`replays`] runs replays of
//! projections, [`parked`] mends what they could not apply, [`exports`] writes down everything that is kept of one person.

pub mod cursor;
pub mod daily;
pub mod erasure;
pub mod exports;
pub mod parked;
pub mod proof_key;
pub mod purge;
pub mod replays;
pub mod retention;
