//! Rebuild: a projection built anew from the log beside the live one, proved equal, and switched to in one transaction.
//!
//! 1. Fold ([`fold`]): events become rows in memory, and rows go into schema `read_next` by `COPY` ([`writer`]), which has no index yet.
//! 2. Index ([`index`]): whatever indexes and constraints the live tables have.
//! 3. Catch up ([`catch_up`]): what came too late for its row, and what was appended meanwhile, by what the live projector applies with.
//! 4. Compare ([`compare`]): counts and checksums of both models at the same position, while the live one goes on.
//! 5. Switch ([`switch`]): behind a barrier that no event can slip past, two renames.
//!
//! Readers never see a model that is half built, and the live projector is held up for a few milliseconds only.

mod catch_up;
mod compare;
mod fold;
mod index;
mod report;
mod shadow;
mod switch;
mod writer;

use std::time::{Duration, Instant};

use tracing::warn;

use crate::checkpoint::{self, Checkpoint};
use crate::search::elasticsearch;
use crate::stores::Stores;
use crate::{cache, park, projector, relational, states};
use catch_up::CatchUp;
use fold::Folded;
pub use report::{Difference, Phase, RebuildError, RebuildOptions, RebuildProgress, RebuildReport};
use shadow::Shadow;

/// How far the live model may be behind the log to be compared with. Beyond that, the new one does not wait for it.
const LIVE_LAG_MAX: i64 = 100_000;

/// Whether there is a projection of that name that can be built anew here.
#[must_use]
pub fn can_be_replayed(stores: &Stores, projection: &str) -> bool {
    [relational::NAME, cache::NAME].contains(&projection) || (projection == elasticsearch::NAME && stores.elastic.is_some())
}

/// Builds a projection anew and switches to it. `observe` is told how far it is, often; it must not block.
///
/// # Errors
/// There is no such projection, another rebuild is under way, the database fails, or the new model differs from the live one at the
/// same position: then the live one stays.
pub async fn rebuild(
    stores: &Stores,
    projection: &str,
    options: RebuildOptions,
    observe: impl Fn(RebuildProgress) + Send + Sync,
) -> Result<RebuildReport, RebuildError> {
    if projection == cache::NAME {
        return cache::replay(stores, observe).await;
    }
    if projection == elasticsearch::NAME {
        return elasticsearch::rebuild(stores, options, &observe).await;
    }
    if projection != relational::NAME {
        return Err(RebuildError::Unknown(projection.into()));
    }
    let mut shadow = Shadow::open(&stores.pool).await?;
    let mut rebuild = Rebuild { options, observe: &observe, phases: Vec::new(), began: Instant::now() };
    let report = rebuild.run(&mut shadow).await;
    match &report {
        // The cache follows the read tables, and these are others.
        Ok(_) => drop(cache::begin_generation(&stores.pool).await?),
        Err(_) => shadow.discard().await,
    }
    shadow.close().await;
    report
}

/// A rebuild under way.
struct Rebuild<'a> {
    options: RebuildOptions,
    observe: &'a (dyn Fn(RebuildProgress) + Send + Sync),
    phases: Vec<(Phase, Duration)>,
    began: Instant,
}

impl Rebuild<'_> {
    async fn run(&mut self, shadow: &mut Shadow) -> Result<RebuildReport, RebuildError> {
        let target = target(shadow).await?;
        let mut next = match self.build(shadow, target).await {
            Err(RebuildError::Database(error)) if projector::is_poison(&error) => {
                warn!(%error, "an event cannot be copied: the model is built event by event, which parks it");
                self.build_with_care(shadow).await?
            }
            outcome => outcome?,
        };
        let compared = self.compare(shadow, &mut next).await?;
        self.enter(Phase::CatchingUp);
        next.approach_live(shadow, self.observe).await?;
        self.enter(Phase::Switching);
        self.tell(Phase::Switching, 0, 1);
        let held_up = switch::switch(shadow, &mut next).await?;
        self.tell(Phase::Switching, 1, 1);
        self.enter(Phase::Dropping);
        shadow.drop_old().await;
        Ok(RebuildReport {
            events: fold::count(next.position()),
            position: next.position(),
            compared_at: compared.as_ref().map(|c| c.position),
            rows: compared.as_ref().map(|c| c.rows.clone()).unwrap_or_default(),
            differences: compared.map(|c| c.differences).unwrap_or_default(),
            held_up,
            elapsed: self.began.elapsed(),
            phases: self.finish(),
        })
    }

    /// Everything up to `target`, by folding and copying.
    async fn build(&mut self, shadow: &mut Shadow, target: i64) -> Result<CatchUp, RebuildError> {
        self.enter(Phase::Folding);
        shadow.create_tables().await?;
        let folded = fold::fold(shadow, target, self.options.kept_messages, self.observe).await?;
        self.enter(Phase::Indexing);
        index::build(shadow, self.observe).await?;
        self.enter(Phase::CatchingUp);
        let Folded { late, parked } = folded;
        let next = CatchUp::begin(shadow, target, &parked).await?;
        next.apply_late(shadow, &late, self.observe).await?;
        shadow.analyze().await?;
        Ok(next)
    }

    /// Everything from nothing, by what the live projector applies with.
    async fn build_with_care(&mut self, shadow: &mut Shadow) -> Result<CatchUp, RebuildError> {
        shadow.create_tables().await?;
        index::build(shadow, self.observe).await?;
        self.enter(Phase::CatchingUp);
        let mut next = CatchUp::begin(shadow, 0, &park::Parked::default()).await?;
        next.approach_live(shadow, self.observe).await?;
        shadow.analyze().await?;
        Ok(next)
    }

    /// Where the live model is not too far behind: whether the new one is the same at the same position.
    async fn compare(&mut self, shadow: &mut Shadow, next: &mut CatchUp) -> Result<Option<compare::Compared>, RebuildError> {
        self.enter(Phase::Comparing);
        let compared = compare::compare(shadow, next, self.observe).await?;
        match compared {
            Some(compared) if !compared.differences.is_empty() && !self.options.accept_differences => {
                Err(RebuildError::Differs { position: compared.position, differences: compared.differences })
            }
            compared => Ok(compared),
        }
    }

    fn enter(&mut self, phase: Phase) {
        let spent = self.phases.iter().map(|(_, took)| *took).sum::<Duration>();
        if let Some((_, took)) = self.phases.last_mut() {
            *took += self.began.elapsed().saturating_sub(spent);
        }
        self.phases.push((phase, Duration::ZERO));
    }

    fn finish(&mut self) -> Vec<(Phase, Duration)> {
        self.enter(Phase::Switching);
        self.phases.pop();
        std::mem::take(&mut self.phases)
    }

    fn tell(&self, phase: Phase, done: u64, total: u64) {
        (self.observe)(RebuildProgress { phase, done, total });
    }
}

/// Where folding ends: where the live model stands, so that the two can be compared; the head where it is far behind or was never there.
async fn target(shadow: &mut Shadow) -> Result<i64, RebuildError> {
    let head = states::head(&mut shadow.connection).await?;
    let live = checkpoint::read(&mut shadow.connection, relational::NAME).await?.map_or(0, |c: Checkpoint| c.position);
    Ok(if live > 0 && head - live <= LIVE_LAG_MAX { live } else { head })
}
