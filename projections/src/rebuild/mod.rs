//! Rebuild: builds a projection from the log beside the live one, proves both equal, and switches in one transaction.
//!
//! 1. Fold ([`fold`]): events become rows in memory, and `COPY` ([`writer`]) writes the rows to schema `read_next`,
//!    which has no index yet.
//! 2. Index ([`index`]): builds the same indexes and constraints as the live tables have.
//! 3. Catch up ([`catch_up`]): applies the events that came too late for their row, and the events appended meanwhile,
//!    with the live projector's code.
//! 4. Compare ([`compare`]): compares counts and checksums of both models at the same position, while the live one goes
//!    on. Differences are shown row by row ([`differences`]).
//! 5. Switch ([`switch`]): two renames behind a barrier that no event can pass.
//!
//! Readers never see a half-built model, and the live projector waits for a few milliseconds only. At any time one
//! process of all nodes builds a projection ([`lock`]). A table that all nodes see holds each replay's order and
//! progress ([`runs`]); another one holds the progress of fills ([`fills`]). [`repair`] does the same with one workspace's rows, in place. [`view`] builds a model as of a
//! moment, for inspection.

mod catch_up;
mod columns;
mod compare;
mod differences;
mod fills;
mod fold;
mod index;
mod lock;
mod past;
mod repair;
mod report;
pub mod runs;
mod shadow;
mod switch;
mod view;
mod writer;

use std::time::{Duration, Instant};

use tracing::warn;

use crate::connections::Connections;
use crate::engine::{park, projector};
use crate::search::elasticsearch;
use crate::{cache, relational, restored};

use catch_up::CatchUp;
pub(crate) use differences::made_by;
pub(crate) use fills::FillProgress;
pub use fills::{Fill, fills};
use fold::{Extent, FoldResult};
pub use lock::RebuildLock;
pub use past::LeftOut;
pub use repair::repair;
pub use report::{Difference, DifferingColumn, DifferingRow, MadeBy, Phase, RebuildError, RebuildOptions, RebuildProgress, RebuildReport};
pub use runs::ReplayRun;
use shadow::Shadow;
use stores::checkpoint::{self, Checkpoint};
pub use view::{NewView, View, ViewModels, build_view, drop_view, position_at, remove_kept_of_erased, remove_kept_of_purged, views};

/// The most events that the live model may be behind the log. If it is further behind, the new model does not wait to
/// be compared with it.
const LIVE_LAG_MAX: i64 = 100_000;

/// Whether a projection of this name exists and can be rebuilt here.
#[must_use]
pub fn can_be_replayed(stores: &Connections, projection: &str) -> bool {
    replayable(stores).contains(&projection)
}

/// The projections that can be rebuilt here. Each stands before those that follow it.
#[must_use]
pub fn replayable(stores: &Connections) -> Vec<&'static str> {
    let search = stores.elastic.is_some().then_some(elasticsearch::NAME);
    [relational::NAME, cache::NAME].into_iter().chain(search).collect()
}

/// Rebuilds a projection and switches to it. `observe` is called often with the progress; it must not block.
///
/// # Errors
/// There is no such projection, another rebuild is running, the database fails, or the new model differs from the live
/// one at the same position. Then the live model stays.
pub async fn rebuild(
    stores: &Connections,
    projection: &str,
    options: RebuildOptions,
    observe: impl Fn(RebuildProgress) + Send + Sync,
) -> Result<RebuildReport, RebuildError> {
    rebuild_in(RebuildLock::acquire(&stores.pool, projection).await?, stores, options, observe).await
}

/// Rebuilds a projection, like [`rebuild`]. The caller has the lock.
///
/// # Errors
/// The database fails, the projection or a column of its tables is of a newer release, or the new model differs from
/// the live one. Then the live model stays.
pub async fn rebuild_in(
    mut lock: RebuildLock,
    stores: &Connections,
    options: RebuildOptions,
    observe: impl Fn(RebuildProgress) + Send + Sync,
) -> Result<RebuildReport, RebuildError> {
    let (projection, ours) = (lock.projection, stores.version(lock.projection));
    refuse_newer(&mut lock, stores, projection).await?;
    if lock.projection == cache::NAME {
        return cache::replay(lock, stores, options, &observe).await;
    }
    if lock.projection == elasticsearch::NAME {
        return elasticsearch::rebuild(lock, stores, options, &observe).await;
    }
    let shadow = Shadow::open(stores, lock, shadow::NEXT).await?;
    let (phases, began) = (Vec::new(), Instant::now());
    let mut rebuild = Rebuild { options, version: ours, live_is_wrong: false, observe: &observe, phases, began };
    let report = rebuild.run(shadow).await?;
    if report.switched {
        // The cache follows the read tables, and those were replaced.
        cache::begin_generation(&stores.pool).await?;
    }
    Ok(report)
}

/// Refuses a live model that a newer release built: this release must not change it.
async fn refuse_newer(lock: &mut RebuildLock, stores: &Connections, projection: &str) -> Result<(), RebuildError> {
    let ours = stores.version(projection);
    let stored = checkpoint::read(&mut lock.connection, projection).await?.map_or(ours, |live| live.version);
    if stored > ours {
        return Err(RebuildError::Newer { projection: projection.into(), stored, ours });
    }
    if projection == relational::NAME { columns::refuse_newer(&mut lock.connection).await } else { Ok(()) }
}

/// Removes what a rebuild of this projection left behind when its process died. Returns `false` if a rebuild is
/// running.
///
/// # Errors
/// A store cannot be used.
pub async fn tidy(stores: &Connections, projection: &str) -> Result<bool, RebuildError> {
    // A search view is built under the lock of the relational projection.
    Ok((projection != elasticsearch::NAME || tidy_one(stores, relational::NAME).await?) && tidy_one(stores, projection).await?)
}

async fn tidy_one(stores: &Connections, projection: &str) -> Result<bool, RebuildError> {
    let mut lock = match RebuildLock::acquire(&stores.pool, projection).await {
        Ok(lock) => lock,
        Err(RebuildError::UnderWay(_)) => return Ok(false),
        Err(error) => return Err(error),
    };
    if lock.projection == relational::NAME {
        shadow::clear(&mut lock.connection).await?;
        view::clear(stores, &mut lock.connection).await?;
    }
    if lock.projection == elasticsearch::NAME
        && let Some(elastic) = &stores.elastic
    {
        elasticsearch::tidy(elastic, &mut lock.connection).await;
    }
    lock.release().await;
    Ok(true)
}

/// A running rebuild.
struct Rebuild<'a> {
    options: RebuildOptions,
    /// The version of the projection that is being built.
    version: i32,
    /// Whether the live tables do not have what their checkpoint says. Then there is nothing to compare with.
    live_is_wrong: bool,
    observe: &'a (dyn Fn(RebuildProgress) + Send + Sync),
    phases: Vec<(Phase, Duration)>,
    began: Instant,
}

impl Rebuild<'_> {
    /// Until the model is built and proved, the rebuild can be cancelled. The switch after that takes a moment.
    async fn run(&mut self, mut shadow: Shadow) -> Result<RebuildReport, RebuildError> {
        let cancel = self.options.cancel.clone();
        let prepared = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(RebuildError::Cancelled),
            prepared = self.prepare(&mut shadow) => prepared,
        };
        let (mut next, compared) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                shadow.discard().await;
                return Err(error);
            }
        };
        if self.options.dry_run {
            let position = next.position();
            shadow.discard().await;
            return Ok(self.report(position, compared, None));
        }
        self.enter(Phase::Switching);
        let held_up = match switch::switch(&mut shadow, &mut next).await {
            Ok(held_up) => held_up,
            Err(error) => {
                shadow.discard().await;
                return Err(error);
            }
        };
        self.report_progress(Phase::Switching, 1, 1);
        self.enter(Phase::Dropping);
        shadow.drop_old().await;
        shadow.close().await;
        Ok(self.report(next.position(), compared, Some(held_up)))
    }

    async fn prepare(&mut self, shadow: &mut Shadow) -> Result<(CatchUp, Option<compare::Compared>), RebuildError> {
        let target = target(shadow).await?;
        let mut next = match self.build(shadow, target).await {
            Err(RebuildError::Database(error)) if projector::is_poison(&error) => {
                warn!(%error, "an event cannot be copied; the model is built event by event, and the event is parked");
                self.build_with_care(shadow).await?
            }
            outcome => outcome?,
        };
        let compared = if self.options.skip_comparing || self.live_is_wrong { None } else { self.compare(shadow, &mut next).await? };
        self.enter(Phase::CatchingUp);
        next.approach_live(shadow, self.observe).await?;
        Ok((next, compared))
    }

    fn report(&mut self, position: i64, compared: Option<compare::Compared>, held_up: Option<Duration>) -> RebuildReport {
        RebuildReport {
            events: fold::count(position),
            position,
            compared_at: compared.as_ref().map(|c| c.position),
            rows: compared.as_ref().map(|c| c.rows.clone()).unwrap_or_default(),
            differences: compared.map(|c| c.differences).unwrap_or_default(),
            left_out: LeftOut::default(),
            switched: held_up.is_some(),
            held_up: held_up.unwrap_or_default(),
            elapsed: self.began.elapsed(),
            phases: self.finish(),
        }
    }

    /// Builds everything up to `target` by folding and copying.
    async fn build(&mut self, shadow: &mut Shadow, target: i64) -> Result<CatchUp, RebuildError> {
        self.enter(Phase::Folding);
        self.report_progress(Phase::Folding, 0, fold::count(target));
        shadow.create_tables().await?;
        let live = restored::read_tables(&mut shadow.connection).await?;
        self.live_is_wrong = matches!(live, restored::ReadTables::Differ { .. });
        let folded = fold::fold(shadow, Extent::to(target), self.options.kept_messages, self.observe).await?;
        self.enter(Phase::Indexing);
        index::build(shadow, self.observe).await?;
        self.enter(Phase::CatchingUp);
        let FoldResult { late, parked, erased, left_out: _ } = folded;
        let next = CatchUp::begin(shadow, target, &parked, self.version).await?;
        if let Some(position) = next.apply_late(shadow, &late, self.observe).await?.first() {
            return Err(RebuildError::Write(format!("the message of event {position} is not there").into()));
        }
        erased.remove(&mut shadow.connection).await?;
        shadow.analyze().await?;
        Ok(next)
    }

    /// Builds everything event by event with the live projector's code.
    async fn build_with_care(&mut self, shadow: &mut Shadow) -> Result<CatchUp, RebuildError> {
        shadow.create_tables().await?;
        index::build(shadow, self.observe).await?;
        self.enter(Phase::CatchingUp);
        let mut next = CatchUp::begin(shadow, 0, &park::Parked::default(), self.version).await?;
        next.approach_live(shadow, self.observe).await?;
        shadow.analyze().await?;
        Ok(next)
    }

    /// Compares the new model with the live one at the same position, unless the live one is too far behind.
    async fn compare(&mut self, shadow: &mut Shadow, next: &mut CatchUp) -> Result<Option<compare::Compared>, RebuildError> {
        self.enter(Phase::Comparing);
        let compared = compare::compare(shadow, next, self.observe).await?;
        match compared {
            // A dry run reports all differences.
            Some(compared) if !compared.differences.is_empty() && !self.options.accept_differences && !self.options.dry_run => {
                Err(RebuildError::Differs { position: compared.position, differences: compared.differences })
            }
            compared => Ok(compared),
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.end_phase();
        self.phases.push((phase, Duration::ZERO));
        self.report_progress(phase, 0, 1);
    }

    fn end_phase(&mut self) {
        let spent = self.phases.iter().map(|(_, took)| *took).sum::<Duration>();
        if let Some((_, took)) = self.phases.last_mut() {
            *took += self.began.elapsed().saturating_sub(spent);
        }
    }

    fn finish(&mut self) -> Vec<(Phase, Duration)> {
        self.end_phase();
        std::mem::take(&mut self.phases)
    }

    fn report_progress(&self, phase: Phase, done: u64, total: u64) {
        (self.observe)(RebuildProgress { phase, done, total });
    }
}

/// The position where folding ends: the live model's position, so that both can be compared; or the end of the log, if
/// the live model is far behind or does not exist.
async fn target(shadow: &mut Shadow) -> Result<i64, RebuildError> {
    let head = stores::log::head(&mut shadow.connection).await?;
    let live = checkpoint::read(&mut shadow.connection, relational::NAME).await?.map_or(0, |c: Checkpoint| c.position);
    Ok(if live > 0 && head - live <= LIVE_LAG_MAX { live } else { head })
}
