//! A rebuild of the search: writes every row into new indices beside the live ones, applies the log's events since,
//! proves the documents equal to the rows, and switches the aliases. It also builds the first indices, and new ones
//! after Elasticsearch has lost its data: until then, Elasticsearch is not searched.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection, query, query_scalar};
use stores::checkpoint::{self, Checkpoint};
use stores::elasticsearch::ElasticError;
use stores::error::chain;
use stores::feed::BATCH_EVENTS_MAX;
use stores::log::read;
use uuid::Uuid;

use super::indices::{Model, Place};
use super::node::IndexUse;
use super::projector::{NAME, NEXT_NAME, SearchProjector, other_store};
use super::rows::{self, CHUNK_ROWS, Scan};
use super::{Elastic, compare, models};
use crate::connections::Connections;
use crate::engine::batch;
use crate::engine::park::ParkedKeys;
use crate::engine::projector::ApplyError;
use crate::engine::runner;
use crate::rebuild::{Difference, FillProgress, LeftOut, Phase, RebuildError, RebuildLock, RebuildOptions, RebuildProgress, RebuildReport};

/// How often to catch up before giving up. Each round is shorter than the one before, unless the log grows faster than
/// that.
const ROUNDS_MAX: usize = 100;

type Observe<'a> = &'a (dyn Fn(RebuildProgress) + Send + Sync);

/// Rebuilds the search projection and switches to it.
///
/// # Errors
/// Another rebuild is running, a store fails, or the documents differ from the rows. Then the live indices stay.
pub(crate) async fn rebuild(
    mut turn: RebuildLock,
    stores: &Connections,
    options: RebuildOptions,
    observe: Observe<'_>,
) -> Result<RebuildReport, RebuildError> {
    let elastic = stores.elastic.clone().ok_or_else(|| RebuildError::Unknown(NAME.into()))?;
    let connection = &mut turn.connection;
    let built = match elastic.put_templates().await {
        Ok(()) => build(stores, &elastic, connection, options, observe).await,
        Err(error) => Err(error.into()),
    };
    if !built.as_ref().is_ok_and(|report| report.switched) {
        tidy(&elastic, connection).await;
    }
    turn.release().await;
    built
}

/// Ensures that live indices exist and that the aliases of searches point to them. The caller holds the projection.
pub(super) async fn ensure_live(stores: &Connections, elastic: &Elastic) -> Result<(), ApplyError> {
    let mut connection = take_the_lock(stores).await.map_err(other)?;
    let ensured = find_or_fill(stores, elastic, &mut connection).await;
    checkpoint::end_rebuilding(&mut connection, NAME).await;
    ensured
}

async fn find_or_fill(stores: &Connections, elastic: &Elastic, connection: &mut PgConnection) -> Result<(), ApplyError> {
    elastic.put_templates().await.map_err(other_store)?;
    if let Some(model) = models::live(connection, &elastic.settings.prefix).await? {
        if elastic.has(&model).await.map_err(other_store)? {
            let aliases = model.reading_aliases(&elastic.indices(&model.pattern()).await.map_err(other_store)?);
            return elastic.point_aliases(&model, &aliases).await.map_err(other_store);
        }
        tracing::warn!(model = model.model_id, "elasticsearch has lost its indices: they are built again");
        models::forget(connection, model.model_id).await?;
    }
    let options = RebuildOptions { accept_differences: true, ..RebuildOptions::default() };
    let progress = FillProgress::new(&stores.pool, NAME);
    let observe = |at| progress.observe(at);
    let report = progress.shown_until_end(build(stores, elastic, connection, options, &observe)).await.map_err(other)?;
    tracing::info!(documents = report.events, position = report.position, seconds = report.elapsed.as_secs(), "elasticsearch was filled");
    for difference in report.differences {
        tracing::error!(%difference, "an index differs from the rows: `backscroll projections` lists the rejected documents");
    }
    Ok(())
}

/// Takes the lock: one rebuild or move runs at a time.
pub(super) async fn take_the_lock(stores: &Connections) -> Result<PgConnection, RebuildError> {
    let mut connection = runner::connect(&stores.pool).await?;
    if checkpoint::try_rebuild(&mut connection, NAME).await? { Ok(connection) } else { Err(RebuildError::UnderWay(NAME.into())) }
}

fn other(error: RebuildError) -> ApplyError {
    ApplyError::OtherStore { store: "elasticsearch", source: Box::new(error) }
}

/// Removes what an unfinished rebuild has left. What cannot be removed now is removed by the next call.
pub(crate) async fn tidy(elastic: &Elastic, connection: &mut PgConnection) {
    let discarded = async {
        let live = models::live(connection, &elastic.settings.prefix).await?;
        query!("DELETE FROM search_models WHERE state = 'building'").execute(connection).await?;
        elastic.drop_others(live.as_ref(), None).await?;
        Ok::<(), RebuildError>(())
    };
    if let Err(error) = discarded.await {
        tracing::warn!(error = %chain(&error), "the indices of an unfinished rebuild could not be removed; the next rebuild removes them");
    }
}

async fn build(
    stores: &Connections,
    elastic: &Elastic,
    connection: &mut PgConnection,
    options: RebuildOptions,
    observe: Observe<'_>,
) -> Result<RebuildReport, RebuildError> {
    let mut building = Building::begin(stores, elastic, connection, observe).await?;
    let compared = tokio::select! {
        biased;
        () = options.cancel.cancelled() => return Err(RebuildError::Cancelled),
        compared = building.fill_and_compare(connection) => compared?,
    };
    if options.dry_run {
        return Ok(building.report(compared, None));
    }
    if !compared.differences.is_empty() && !options.accept_differences {
        return Err(RebuildError::Differs { position: building.stood.position, differences: compared.differences });
    }
    building.enter(Phase::Switching);
    let held_up = building.switch(connection).await?;
    building.enter(Phase::Dropping);
    if let Err(error) = elastic.drop_others(Some(&building.model), None).await {
        tracing::warn!(error = %chain(&error), "the old indices could not be dropped; the next rebuild drops them");
    }
    Ok(building.report(compared, Some(held_up)))
}

/// Indices under construction.
pub(super) struct Building<'a> {
    elastic: &'a Elastic,
    stores: &'a Connections,
    pub(super) model: Model,
    projector: SearchProjector,
    stood: Checkpoint,
    parked: ParkedKeys,
    observe: Observe<'a>,
    began: Instant,
    phases: Vec<(Phase, Duration)>,
    /// About how many rows there are to write.
    rows: u64,
    documents: u64,
}

/// The result of a comparison.
pub(super) struct Compared {
    pub(super) documents: Vec<(String, i64)>,
    pub(super) differences: Vec<Difference>,
}

impl<'a> Building<'a> {
    /// Creates the indices, and notes the position of the rows. The log after it contains everything that the scan may
    /// miss.
    async fn begin(
        stores: &'a Connections,
        elastic: &'a Elastic,
        connection: &mut PgConnection,
        observe: Observe<'a>,
    ) -> Result<Self, RebuildError> {
        let rows = u64::try_from(rows::count(connection).await?).unwrap_or(0);
        observe(RebuildProgress { phase: Phase::Folding, done: 0, total: rows });
        let settings = &elastic.settings;
        let routes = places(connection, elastic).await?;
        let mut tx = connection.begin().await?;
        let position = rows::position(&mut tx).await?;
        query!("DELETE FROM projection_checkpoints WHERE projection = $1", NEXT_NAME).execute(&mut *tx).await?;
        query!("DELETE FROM parked_keys WHERE projection = $1", NEXT_NAME).execute(&mut *tx).await?;
        let begun = checkpoint::begin_epoch(&mut tx, NEXT_NAME, "a rebuild", stores.version(NAME)).await?;
        checkpoint::advance(&mut tx, NEXT_NAME, begun, position).await?;
        let model = models::begin(&mut tx, &settings.prefix, settings.pools, &routes).await?;
        tx.commit().await?;
        let live = models::live(connection, &settings.prefix).await?;
        elastic.drop_others(live.as_ref(), None).await?;
        for index in model.shared_indices() {
            elastic.ensure_index(&model, &index, None, IndexUse::Filling).await?;
        }
        let projector = SearchProjector::next(stores, elastic, model.model_id);
        let stood = Checkpoint { position, ..begun };
        let (parked, began, phases) = (ParkedKeys::default(), Instant::now(), Vec::new());
        let mut building = Self { elastic, stores, model, projector, stood, parked, observe, began, phases, rows, documents: 0 };
        building.enter(Phase::Folding);
        Ok(building)
    }

    /// The position of the new documents.
    pub(super) fn position(&self) -> i64 {
        self.stood.position
    }

    /// Does everything that is possible beside the live indices.
    async fn fill_and_compare(&mut self, connection: &mut PgConnection) -> Result<Compared, RebuildError> {
        self.fill(connection).await?;
        self.approach_rows(connection).await?;
        self.enter(Phase::Comparing);
        self.elastic.end_filling(&self.model.pattern()).await?;
        self.compare(connection).await
    }

    /// Writes every row as it is when it is read.
    async fn fill(&mut self, connection: &mut PgConnection) -> Result<(), RebuildError> {
        for scan in [Scan::Members, Scan::Messages] {
            let mut chunk = rows::scan(connection, scan, Uuid::nil()).await?;
            loop {
                // The next rows are read while these are written.
                let next = async {
                    let mut reader = self.stores.pool.acquire().await?;
                    match chunk.last {
                        Some(after) => rows::scan(&mut reader, scan, after).await.map(Some),
                        None => Ok(None),
                    }
                };
                let write = self.projector.write(connection, &self.model, &chunk.documents);
                let (next, written) = futures::join!(next, write);
                written?;
                self.documents += chunk.documents.len() as u64;
                (self.observe)(RebuildProgress { phase: Phase::Folding, done: self.documents, total: self.rows.max(self.documents) });
                let Some(next) = next? else { break };
                chunk = next;
            }
        }
        Ok(())
    }

    /// Applies events up to exactly `position`.
    async fn up_to(&mut self, connection: &mut PgConnection, position: i64) -> Result<(), RebuildError> {
        while self.stood.position < position {
            let behind = usize::try_from(position - self.stood.position).unwrap_or(usize::MAX);
            let events = read::read(&self.stores.pool, &self.stores.keys, self.stood.position, behind.min(BATCH_EVENTS_MAX)).await?;
            if events.is_empty() {
                return Err(RebuildError::Log(format!("it ends at {}, before {position}", self.stood.position).into()));
            }
            self.stood = batch::apply(connection, &mut self.projector, self.stood, &events, &mut self.parked).await?;
            let (done, total) = (u64::try_from(self.stood.position).unwrap_or(0), u64::try_from(position).unwrap_or(0));
            (self.observe)(RebuildProgress { phase: Phase::CatchingUp, done, total });
        }
        Ok(())
    }

    /// Applies events up to the position of the rows.
    pub(super) async fn approach_rows(&mut self, connection: &mut PgConnection) -> Result<(), RebuildError> {
        if self.phases.last().is_some_and(|(phase, _)| *phase == Phase::Folding) {
            self.enter(Phase::CatchingUp);
        }
        for _ in 0..ROUNDS_MAX {
            let position = rows::position(connection).await?;
            let behind = position - self.stood.position;
            self.up_to(connection, position).await?;
            if behind <= i64::try_from(BATCH_EVENTS_MAX).unwrap_or(i64::MAX) {
                return Ok(());
            }
        }
        Err(RebuildError::LogTooFast)
    }

    /// Compares: every document must equal its row, and there must be no others.
    async fn compare(&mut self, connection: &mut PgConnection) -> Result<Compared, RebuildError> {
        let elastic = self.elastic;
        compare::compare(elastic, self, connection, self.observe).await
    }

    /// Switches behind the checkpoint's lock, with which every batch of the live projector begins. Returns how long the
    /// live projector waited.
    async fn switch(&mut self, connection: &mut PgConnection) -> Result<Duration, RebuildError> {
        let mut barrier_connection = runner::connect(&self.stores.pool).await?;
        let mut barrier = barrier_connection.begin().await?;
        let live = checkpoint::lock(&mut barrier, NAME).await?;
        let began = Instant::now();
        if let Some(live) = live {
            self.up_to(connection, live.position).await?;
        }
        let aliases = self.model.reading_aliases(&self.elastic.indices(&self.model.pattern()).await?);
        self.elastic.point_aliases(&self.model, &aliases).await?;
        take_over(&mut barrier, self.stood.position).await?;
        models::make_live(&mut barrier, self.model.model_id).await?;
        barrier.commit().await?;
        Ok(began.elapsed())
    }

    fn enter(&mut self, phase: Phase) {
        let spent = self.phases.iter().map(|(_, took)| *took).sum::<Duration>();
        if let Some((_, took)) = self.phases.last_mut() {
            *took += self.began.elapsed().saturating_sub(spent);
        }
        self.phases.push((phase, Duration::ZERO));
        let total = if phase == Phase::Folding { self.rows } else { 1 };
        (self.observe)(RebuildProgress { phase, done: 0, total });
    }

    fn report(mut self, compared: Compared, held_up: Option<Duration>) -> RebuildReport {
        self.enter(Phase::Dropping);
        self.phases.pop();
        RebuildReport {
            events: self.documents,
            position: self.stood.position,
            compared_at: Some(self.stood.position),
            rows: compared.documents,
            differences: compared.differences,
            left_out: LeftOut::default(),
            switched: held_up.is_some(),
            held_up: held_up.unwrap_or_default(),
            elapsed: self.began.elapsed(),
            phases: self.phases,
        }
    }
}

/// Gives the new model's position and parked keys to the live checkpoint. The holder goes on after it has read both
/// again.
async fn take_over(barrier: &mut PgConnection, position: i64) -> sqlx::Result<()> {
    query!(
        "INSERT INTO projection_checkpoints AS c (projection, position, version)
         SELECT $1, $2, version FROM projection_checkpoints WHERE projection = $3
         ON CONFLICT (projection) DO UPDATE
         SET position = $2, generation = c.generation + 1, version = excluded.version, updated_at = now()",
        NAME,
        position,
        NEXT_NAME
    )
    .execute(&mut *barrier)
    .await?;
    query!("DELETE FROM parked_keys WHERE projection = $1", NAME).execute(&mut *barrier).await?;
    query!("UPDATE parked_keys SET projection = $1 WHERE projection = $2", NAME, NEXT_NAME).execute(&mut *barrier).await?;
    query!("DELETE FROM projection_checkpoints WHERE projection = $1", NEXT_NAME).execute(barrier).await.map(drop)
}

/// The workspaces that are too large, or write too much, for a shared index.
pub(super) async fn places(connection: &mut PgConnection, elastic: &Elastic) -> sqlx::Result<Vec<(Uuid, Place)>> {
    let monthly = i64::try_from(elastic.settings.monthly_index_messages).unwrap_or(i64::MAX);
    let high = query_scalar!(
        "SELECT workspace_id FROM messages WHERE created_at >= now() - INTERVAL '30 days' GROUP BY workspace_id HAVING count(*) > $1",
        monthly
    );
    let high = high.fetch_all(&mut *connection).await?;
    let members = i64::from(elastic.settings.dedicated_index_members);
    let large = query_scalar!(
        "SELECT workspace_id FROM workspace_members WHERE status = 'active' GROUP BY workspace_id HAVING count(*) > $1",
        members
    );
    let large = large.fetch_all(connection).await?.into_iter().filter(|id| !high.contains(id)).collect::<Vec<_>>();
    Ok(high.iter().map(|id| (*id, Place::Monthly)).chain(large.into_iter().map(|id| (id, Place::Own))).collect())
}

/// How many rows are compared at a time.
pub(super) const COMPARED_ROWS: i64 = CHUNK_ROWS;

impl From<ElasticError> for RebuildError {
    fn from(error: ElasticError) -> Self {
        Self::Write(Box::new(error))
    }
}
