//! The engine: keeps every projection up with the log, whatever it is built in. It knows no technology but the checkpoints in Postgres;
//! `registry` names the projections, a line each.

pub(crate) mod batch;
pub(crate) mod park;
pub(crate) mod progress;
pub(crate) mod projector;
pub(crate) mod registry;
pub(crate) mod runner;
pub(crate) mod unpark;
