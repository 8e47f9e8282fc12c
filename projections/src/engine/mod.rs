//! The engine applies the log to every projection, in whatever store the projection is. Of the stores it knows only
//! Postgres, for the checkpoints. `registry` lists the projections, one line each.

pub(crate) mod batch;
pub(crate) mod park;
pub(crate) mod progress;
pub(crate) mod projector;
pub(crate) mod registry;
pub(crate) mod runner;
pub(crate) mod unpark;
