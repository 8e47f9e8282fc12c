//! Processes do work beside requests, because of events in the log or at a given time. Each has a cursor of its own in
//! `process_cursors`, or a schedule. A process is never replayed: its effects are not repeated.
//!
//! [`retention`] finds messages that are due and archives or purges them; [`daily`] runs it once a day. [`erasure`]
//! carries out erasures of people. [`purge`] empties events that the log says are purged. [`client_ids`] removes
//! what earlier releases kept of clients in clear. [`proof_key`] records new
//! signing keys in the log. [`replays`] runs replays of projections, [`parked`] releases events that projections could
//! not apply, [`exports`] makes a zip of everything that is stored about one person, and
//! [`export_jobs`] makes those that people ask for. [`restore_check`] examines a restored database.

pub mod client_ids;
pub mod cursor;
pub mod daily;
pub mod erasure;
pub mod export_jobs;
pub mod exports;
pub mod parked;
pub mod proof_key;
pub mod purge;
pub mod replays;
pub mod restore_check;
pub mod retention;
