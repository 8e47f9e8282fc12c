//! A repair replaces one workspace's rows with rows built again from that workspace's events. The rows of other
//! workspaces are not touched.
//!
//! The new rows are built beside the live ones, as in a rebuild. They replace the old rows in one transaction behind
//! the same barrier. Readers see the old rows or the new ones, and the live projector waits during the exchange.

use std::collections::BTreeSet;
use std::time::Instant;

use chrono::{DateTime, Utc};
use domain::ids::WorkspaceId;
use sqlx::{Connection, Executor, PgConnection, query, query_scalar};
use stores::checkpoint;
use stores::feed::BATCH_EVENTS_MAX;
use stores::log::read;

use super::columns;
use super::compare::{Checksum, checksum};
use super::differences::{self, Side};
use super::fold::count;
use super::index;
use super::lock::RebuildLock;
use super::past::LeftOut;
use super::report::{Difference, Phase, RebuildError, RebuildOptions, RebuildProgress, RebuildReport};
use super::shadow::{LIVE, NEXT, Shadow};
use crate::connections::Connections;
use crate::engine::park;
use crate::engine::runner;
use crate::relational::messages::{self, MessageTable, Month};
use crate::search::elasticsearch;
use crate::{cache, relational};

type Observe<'a> = &'a (dyn Fn(RebuildProgress) + Send + Sync);

/// Repairs a workspace's rows of the relational model. The report names the rows that differed from the log.
///
/// # Errors
/// An event of the workspace cannot be applied, the live tables are of a newer release, the database fails, or the
/// repair was cancelled. Then nothing is changed.
pub async fn repair(
    mut lock: RebuildLock,
    stores: &Connections,
    workspace_id: WorkspaceId,
    options: RebuildOptions,
    observe: impl Fn(RebuildProgress) + Send + Sync,
) -> Result<RebuildReport, RebuildError> {
    super::refuse_newer(&mut lock, stores, relational::NAME).await?;
    let mut shadow = Shadow::open(stores, lock, NEXT).await?;
    let mut repair =
        Repair { stores, workspace_id, reached: 0, events: 0, skipped: BTreeSet::new(), began: Instant::now(), observe: &observe };
    let repaired = repair.run(&mut shadow, &options).await;
    shadow.discard().await;
    repaired
}

struct Repair<'a> {
    stores: &'a Connections,
    workspace_id: WorkspaceId,
    /// The position up to which the log was read.
    reached: i64,
    events: u64,
    skipped: BTreeSet<i64>,
    began: Instant,
    observe: Observe<'a>,
}

impl Repair<'_> {
    async fn run(&mut self, shadow: &mut Shadow, options: &RebuildOptions) -> Result<RebuildReport, RebuildError> {
        let cancel = options.cancel.clone();
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(RebuildError::Cancelled),
            prepared = self.prepare(shadow) => prepared?,
        }
        (self.observe)(RebuildProgress { phase: Phase::Switching, done: 0, total: 1 });
        let mut connection = runner::connect(&self.stores.pool).await?;
        let mut barrier = connection.begin().await?;
        let began = Instant::now();
        let live = checkpoint::lock(&mut barrier, relational::NAME).await?.map_or(0, |live| live.position);
        self.up_to(shadow, live).await?;
        columns::refuse_newer_and_lock(&mut barrier).await?;
        let (rows, differences) = self.compare(&mut barrier, shadow, live).await?;
        if !options.dry_run {
            self.exchange(&mut barrier, shadow).await?;
            barrier.commit().await?;
        }
        Ok(RebuildReport {
            events: self.events,
            position: live,
            compared_at: Some(live),
            rows,
            differences,
            left_out: LeftOut::default(),
            switched: !options.dry_run,
            held_up: began.elapsed(),
            elapsed: self.began.elapsed(),
            phases: Vec::new(),
        })
    }

    /// Builds the workspace's rows up to about the live model's position.
    async fn prepare(&mut self, shadow: &mut Shadow) -> Result<(), RebuildError> {
        shadow.create_tables().await?;
        index::build(shadow, self.observe).await?;
        self.skipped = park::skipped(&mut shadow.connection, relational::NAME).await?;
        let live = checkpoint::read(&mut shadow.connection, relational::NAME).await?.map_or(0, |live| live.position);
        self.up_to(shadow, live).await?;
        Ok(shadow.analyze().await?)
    }

    async fn up_to(&mut self, shadow: &mut Shadow, position: i64) -> Result<(), RebuildError> {
        let condition = format!("workspace_id = '{}'", self.workspace_id);
        loop {
            let events = read::read_of(&shadow.pool, &shadow.keys, &condition, self.reached, position, BATCH_EVENTS_MAX).await?;
            let Some(last) = events.last() else { break };
            self.reached = last.position;
            let events = events.into_iter().filter(|event| !self.skipped.contains(&event.position)).collect::<Vec<_>>();
            let mut recorded = Vec::with_capacity(events.len());
            for event in &events {
                let unreadable = |error| RebuildError::Write(format!("event {}: {}", event.position, stores::error::chain(error)).into());
                recorded.push(event.event.as_ref().map_err(|error| unreadable(error))?);
            }
            let mut tx = shadow.connection.begin().await?;
            relational::apply(&mut tx, &recorded).await?;
            tx.commit().await?;
            self.events += recorded.len() as u64;
            (self.observe)(RebuildProgress { phase: Phase::CatchingUp, done: count(self.reached), total: count(position) });
        }
        self.reached = self.reached.max(position);
        Ok(())
    }

    /// Compares the workspace's live rows with the new ones.
    async fn compare(
        &self,
        live: &mut PgConnection,
        shadow: &mut Shadow,
        position: i64,
    ) -> Result<(Vec<(String, i64)>, Vec<Difference>), RebuildError> {
        let (mut rows, mut found) = (Vec::new(), Vec::new());
        for table in self.tables(live).await? {
            let (old, new) = self.checksums(live, shadow, &table).await?;
            rows.push((table.clone(), new.rows));
            if old != new {
                let keys = [self.workspace_id.to_string()];
                let compared = differences::ComparedTable { table: &table, wanted: WANTED, keys: &keys, position };
                let (left, right) = (Side { connection: live, schema: LIVE }, Side { connection: &mut shadow.connection, schema: NEXT });
                let shown = differences::first(left, right, compared).await?;
                found.push(Difference { table, live_rows: old.rows, new_rows: new.rows, rows: shown });
            }
        }
        Ok((rows, found))
    }

    async fn checksums(&self, live: &mut PgConnection, shadow: &mut Shadow, table: &str) -> sqlx::Result<(Checksum, Checksum)> {
        let keys = [self.workspace_id.to_string()];
        let old = checksum(live, LIVE, table, WANTED, &keys).await?;
        Ok((old, checksum(&mut shadow.connection, NEXT, table, WANTED, &keys).await?))
    }

    /// Replaces the old rows with the new ones, and checks the result.
    async fn exchange(&self, barrier: &mut PgConnection, shadow: &mut Shadow) -> Result<(), RebuildError> {
        self.ensure_months(barrier).await?;
        let tables = self.tables(barrier).await?;
        for table in &tables {
            let columns = columns(barrier, table).await?;
            let delete = format!("DELETE FROM {LIVE}.{table} WHERE workspace_id = '{}'", self.workspace_id);
            barrier.execute(delete.as_str()).await?;
            let insert = format!("INSERT INTO {LIVE}.{table} ({columns}) SELECT {columns} FROM {NEXT}.{table}");
            barrier.execute(insert.as_str()).await?;
        }
        for table in &tables {
            let (old, new) = self.checksums(barrier, shadow, table).await?;
            if old != new {
                return Err(RebuildError::Write(format!("{table} is not what was put there").into()));
            }
        }
        let park_key = format!("workspace:{}", self.workspace_id);
        query!("DELETE FROM parked_keys WHERE projection = $1 AND park_key = $2", relational::NAME, park_key)
            .execute(&mut *barrier)
            .await?;
        checkpoint::bump_generation(barrier, relational::NAME).await?;
        elasticsearch::refresh_later(barrier, &park_key).await?;
        cache::begin_generation(barrier).await?;
        Ok(())
    }

    async fn ensure_months(&self, barrier: &mut PgConnection) -> Result<(), RebuildError> {
        for message_table in MessageTable::ALL {
            let statement = format!("SELECT DISTINCT date_trunc('month', created_at, 'UTC') FROM {NEXT}.{}", message_table.name());
            let months = query_scalar::<_, DateTime<Utc>>(&statement).fetch_all(&mut *barrier).await?;
            let months = months.into_iter().map(|at| (message_table, Month::of(at))).collect::<BTreeSet<_>>();
            messages::ensure_months(barrier, &months).await?;
        }
        Ok(())
    }

    /// The tables whose rows belong to workspaces.
    async fn tables(&self, connection: &mut PgConnection) -> sqlx::Result<Vec<String>> {
        let found = query_scalar!(
            r#"SELECT t.relname::text AS "name!" FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = 'workspace_id'
               WHERE t.relnamespace = $1::text::regnamespace AND t.relkind IN ('r', 'p') AND NOT t.relispartition ORDER BY 1"#,
            LIVE
        );
        found.fetch_all(connection).await
    }
}

/// The condition for the rows of the workspace.
const WANTED: &str = "t.workspace_id = ($1::text[])[1]::uuid";

/// The columns that are written. Other columns are generated.
async fn columns(connection: &mut PgConnection, table: &str) -> sqlx::Result<String> {
    query_scalar!(
        r#"SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) AS "columns!" FROM pg_attribute
           WHERE attrelid = ($1::text || '.' || quote_ident($2::text))::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"#,
        LIVE,
        table
    )
    .fetch_one(connection)
    .await
}
