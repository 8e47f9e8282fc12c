//! The read side: projectors build tables from the log, and queries read what they built.
//!
//! Invariant: nothing here appends an event, and nothing here is the truth: every table can be thrown away and built anew
//! ([`rebuild`]). What a projection holds is a function of the log up to its position.
//!
//! In reading order: [`ReadModels`] (the queries) and [`Progress`] (how far the projections are) are what the doors use; [`relational`]
//! holds the read tables, one file per family; [`run`] keeps them up with the log: the feed brings events, the runner applies them.

pub mod cache;
mod connections;
mod engine;
mod feed;
mod read_models;
mod rebuild;
pub mod relational;
pub mod search;
mod states;

pub use connections::Stores;
pub use engine::park::{ParkedEvent, ParkedPayload, UnparkError, payloads as parked_payloads};
pub use engine::progress::{Behind, Progress};
pub use engine::runner::{Settings, run};
pub use engine::unpark::{Unparked, is_parked_at, unpark, unpark_behind};
pub use read_models::{QueryError, ReadModels, rows};
pub use rebuild::{
    Difference, DifferingColumn, DifferingRow, MadeBy, NewView, Phase, RebuildError, RebuildOptions, RebuildProgress, RebuildReport,
    ReplayRun, Turn, View, ViewOf, build_view, can_be_replayed, drop_view, forget_the_erased, forget_the_purged, position_at, rebuild,
    rebuild_in, repair, replayable, runs, tidy, views,
};
pub use states::{ProjectionState, outdated, states};

/// The cache's name.
pub const CACHE: &str = cache::NAME;

/// The relational projection's name: the one that every query here reads from.
pub const RELATIONAL: &str = relational::NAME;

/// The search projection's name: what Elasticsearch has.
pub const SEARCH: &str = search::elasticsearch::NAME;
