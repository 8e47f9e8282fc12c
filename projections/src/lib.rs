//! The read side: projectors build tables from the log, and queries read what they built.
//!
//! Nothing here appends an event. No table here is the source of truth: each can be dropped and built again
//! ([`rebuild`]). What a projection holds follows from the log up to its position.
//!
//! In reading order: the handlers use [`ReadModels`] (the queries) and [`Progress`] (the positions of the projections).
//! [`relational`] holds the read tables, one file per family. [`run`] applies new events to them: the feed brings the
//! events, the runner applies them.

pub mod cache;
mod connections;
mod engine;
mod read_models;
mod rebuild;
pub mod relational;
pub mod restored;
pub mod search;
pub mod start;
mod states;

pub use connections::Connections;
pub use engine::park::{ParkedEvent, ParkedPayload, UnparkError, payloads as parked_payloads};
pub use engine::progress::{Progress, WaitError};
pub use engine::runner::{Settings, run};
pub use engine::unpark::{Unparked, is_parked_at, unpark, unpark_behind};
pub use read_models::{QueryError, ReadModels, rows};
pub use rebuild::{
    Difference, DifferingColumn, DifferingRow, Fill, LeftOut, MadeBy, NewView, Phase, RebuildError, RebuildLock, RebuildOptions,
    RebuildProgress, RebuildReport, ReplayRun, View, ViewModels, build_view, can_be_replayed, drop_view, fills, position_at, rebuild,
    rebuild_in, remove_kept_of_erased, remove_kept_of_purged, repair, replayable, runs, tidy, views,
};
pub use states::{ParkedCount, ProjectionState, count_parked, count_rejected, outdated, states, without_holder};

/// The name of the cache's projection.
pub const CACHE: &str = cache::NAME;

/// The name of the relational projection, which every query here reads.
pub const RELATIONAL: &str = relational::NAME;

/// The name of the search projection, which writes to Elasticsearch.
pub const SEARCH: &str = search::elasticsearch::NAME;
