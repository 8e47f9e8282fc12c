//! A view: the relational model as of a position or of a moment, in a schema of its own, to be inspected with `psql`. A
//! search view also has indices of its own that are made from these tables. Later events change neither.
//!
//! A view of a position contains the first events of the log. A view of a moment contains the events that had happened
//! by then, whenever they were recorded ([`super::past`]).

use std::time::Instant;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{Connection, Executor, PgConnection, PgPool, query, query_as, query_scalar};
use stores::error::chain;
use utoipa::ToSchema;

use super::catch_up::CatchUp;
use super::columns;
use super::fold::{self, Extent, FoldResult};
use super::index;
use super::lock::RebuildLock;
use super::past::LeftOut;
use super::report::{Difference, Phase, RebuildError, RebuildOptions, RebuildProgress, RebuildReport};
use super::shadow::{self, Shadow};
use crate::connections::Connections;
use crate::relational;
use crate::search::elasticsearch;

/// The most characters of a view's name, so that the schema's name fits into 63 bytes.
const NAME_CHARS_MAX: usize = 50;

/// A view to be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewView {
    name: String,
    position: i64,
    moment: Option<DateTime<Utc>>,
}

/// An existing view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReplayView)]
pub struct View {
    /// Its name.
    #[schema(example = "at_4711")]
    pub name: String,
    /// The schema of its tables.
    #[schema(example = "view_at_4711")]
    pub schema_name: String,
    /// The Elasticsearch indices of its messages and members. Empty if only the relational model was asked for.
    pub indices: Vec<String>,
    /// The last event that was read for it. Without a moment, it holds this event and all earlier ones.
    pub position: i64,
    /// The moment that it shows: it holds the events that had happened by then. Absent if it is as of its position.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub moment: Option<DateTime<Utc>>,
    /// When it was built.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub created_at: DateTime<Utc>,
}

/// The models that a view has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewModels {
    /// The read tables only.
    Relational,
    /// The read tables, and the documents that searches find.
    Search,
}

impl NewView {
    /// A view at that position, under the given name or one made from the position. `None` if the name is not valid: it
    /// has lower case letters, digits and `_`, and begins with a letter.
    #[must_use]
    pub fn parse(name: Option<&str>, position: i64) -> Option<Self> {
        Self::named(name.map_or_else(|| format!("at_{position}"), str::to_owned), position, None)
    }

    /// A view of what had happened by `moment`, according to the first events of the log, up to `position`. Its name is
    /// the given one, or one made from the moment. `None` if the name is not valid.
    #[must_use]
    pub fn of_moment(name: Option<&str>, moment: DateTime<Utc>, position: i64) -> Option<Self> {
        let own = || match moment.timestamp_subsec_micros() {
            0 => format!("at_{}", moment.format("%Y%m%dt%H%M%Sz")),
            micros => format!("at_{}_{micros:06}z", moment.format("%Y%m%dt%H%M%S")),
        };
        Self::named(name.map_or_else(own, str::to_owned), position, Some(moment))
    }

    fn named(name: String, position: i64, moment: Option<DateTime<Utc>>) -> Option<Self> {
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
        let goes_on = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        (begins && goes_on && name.len() <= NAME_CHARS_MAX).then_some(Self { name, position, moment })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The last position that is read for it.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.position
    }

    /// The moment that it shows. `None` if it is as of its position.
    #[must_use]
    pub fn moment(&self) -> Option<DateTime<Utc>> {
        self.moment
    }

    fn schema(&self) -> String {
        format!("view_{}", self.name)
    }
}

/// Returns the position of the last event recorded at or before `moment`, or 0 if there is none.
///
/// # Errors
/// The database cannot be used.
pub async fn position_at(pool: &PgPool, moment: DateTime<Utc>) -> sqlx::Result<i64> {
    // Only positions are indexed. The times increase with them, so a binary search works.
    let (mut at_most, mut behind) = (0, stores::log::head(pool).await? + 1);
    while at_most + 1 < behind {
        let middle = at_most + (behind - at_most) / 2;
        let recorded = query_scalar!("SELECT recorded_at FROM events WHERE position = $1", middle).fetch_one(pool).await?;
        if recorded <= moment { at_most = middle } else { behind = middle }
    }
    Ok(at_most)
}

/// Returns the existing views, the latest first.
///
/// # Errors
/// The database cannot be used.
pub async fn views(pool: &PgPool) -> sqlx::Result<Vec<View>> {
    let found = query_as!(
        View,
        "SELECT name, schema_name, indices, position, moment, created_at FROM replay_views WHERE is_built ORDER BY created_at DESC"
    );
    found.fetch_all(pool).await
}

/// Drops a view. If it was dropped before, nothing happens. Returns `false` if there never was one of that name. Its
/// tables are dropped first, so they do not wait for Elasticsearch.
///
/// # Errors
/// The database cannot be used. Or the view has indices and Elasticsearch cannot be used: then they are removed later.
pub async fn drop_view(stores: &Connections, name: &str) -> Result<bool, RebuildError> {
    let mut tx = stores.pool.begin().await?;
    let dropped = query!("UPDATE replay_views SET is_built = FALSE WHERE name = $1 AND is_built RETURNING schema_name, created_at", name);
    let Some(view) = dropped.fetch_optional(&mut *tx).await? else {
        // Dropped before, or never built.
        let known = query_scalar!(
            r#"SELECT EXISTS (SELECT FROM replays WHERE asked -> 'scope' -> 'view' ->> 'name' = $1 AND state = 'built') AS "known!""#,
            name
        );
        return Ok(known.fetch_one(&mut *tx).await?);
    };
    tx.execute(format!("DROP SCHEMA IF EXISTS {} CASCADE", view.schema_name).as_str()).await?;
    tx.commit().await?;
    remove_view(stores, &mut *stores.pool.acquire().await?, name, view.created_at).await?;
    Ok(true)
}

/// Removes what replays have kept of people who were erased later: views built before, and rows in reports. No event
/// changes these, so nothing else would remove it. It also removes indices of dropped views that could not be removed
/// because Elasticsearch was unreachable.
///
/// # Errors
/// The database cannot be used.
pub async fn remove_kept_of_erased(stores: &Connections) -> Result<(), RebuildError> {
    let last = query_scalar!("SELECT max(destroyed_at) FROM secret.person_keys").fetch_one(&stores.pool).await?;
    if let Some(last) = last {
        remove_kept_before(stores, last).await?;
    }
    remove_left_views(stores).await
}

/// Removes everything that replays have kept until now: some of it may have just been purged from the log.
///
/// # Errors
/// The database cannot be used.
pub async fn remove_kept_of_purged(stores: &Connections) -> Result<(), RebuildError> {
    let now = query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(&stores.pool).await?;
    remove_kept_before(stores, now).await
}

async fn remove_kept_before(stores: &Connections, moment: DateTime<Utc>) -> Result<(), RebuildError> {
    let stale = query_scalar!("SELECT name FROM replay_views WHERE is_built AND created_at <= $1 ORDER BY name", moment);
    for name in stale.fetch_all(&stores.pool).await? {
        ignore_left_indices(drop_view(stores, &name).await.map(drop), &name)?;
    }
    query!(
        "UPDATE replays SET report = jsonb_set(report, '{differences}', '[]')
         WHERE jsonb_array_length(report -> 'differences') > 0 AND started_at <= $1",
        moment
    )
    .execute(&stores.pool)
    .await?;
    Ok(())
}

/// Removes what is left of dropped or broken views. If a view is being built at the moment, its builder has already
/// done this.
async fn remove_left_views(stores: &Connections) -> Result<(), RebuildError> {
    let left = query_scalar!(r#"SELECT EXISTS (SELECT FROM replay_views WHERE NOT is_built) AS "left!""#);
    if !left.fetch_one(&stores.pool).await? {
        return Ok(());
    }
    match RebuildLock::acquire(&stores.pool, relational::NAME).await {
        Ok(mut lock) => {
            let cleared = clear(stores, &mut lock.connection).await;
            lock.release().await;
            Ok(cleared?)
        }
        Err(RebuildError::UnderWay(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Builds a view. The caller has the rebuild lock of the relational projection. The indices of a search view are made
/// from its tables.
///
/// # Errors
/// A view of that name exists, its position is beyond the log, the live tables are of a newer release, a store fails,
/// or it was cancelled. Then nothing of it stays.
pub async fn build_view(
    mut lock: RebuildLock,
    stores: &Connections,
    view: &NewView,
    of: ViewModels,
    options: RebuildOptions,
    observe: impl Fn(RebuildProgress) + Send + Sync,
) -> Result<RebuildReport, RebuildError> {
    let began = Instant::now();
    let schema = view.schema();
    let indices = match (of, &stores.elastic) {
        (ViewModels::Relational, _) => Vec::new(),
        (ViewModels::Search, Some(elastic)) => elastic.view_indices(&view.name),
        (ViewModels::Search, None) => return Err(RebuildError::Unknown(elasticsearch::NAME.into())),
    };
    clear(stores, &mut lock.connection).await?;
    columns::refuse_newer(&mut lock.connection).await?;
    let head = stores::log::head(&mut lock.connection).await?;
    if view.position < 0 || view.position > head {
        return Err(RebuildError::BeyondLog { position: view.position, head });
    }
    let begun = query_scalar!(
        "INSERT INTO replay_views (name, schema_name, position, moment, indices) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING RETURNING created_at",
        view.name,
        schema,
        view.position,
        view.moment,
        &indices
    );
    let begun = begun.fetch_optional(&mut lock.connection).await?;
    let begun_at = begun.ok_or_else(|| RebuildError::ViewExists(view.name.clone()))?;
    let mut shadow = Shadow::open(stores, lock, &schema).await?;
    let cancel = options.cancel.clone();
    let built = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(RebuildError::Cancelled),
        built = build(&mut shadow, stores, view, of, &options, &observe) => built,
    };
    match built {
        Ok(Built { rows, differences, left_out }) => {
            shadow.close().await;
            Ok(RebuildReport {
                events: fold::count(view.position),
                position: view.position,
                compared_at: None,
                rows,
                differences,
                left_out,
                switched: false,
                held_up: std::time::Duration::ZERO,
                elapsed: began.elapsed(),
                phases: Vec::new(),
            })
        }
        Err(error) => {
            shadow.discard().await;
            // What cannot be removed now is removed when the next view is built.
            if let Err(error) = remove_view(stores, &mut *stores.pool.acquire().await?, &view.name, begun_at).await {
                tracing::warn!(error = %chain(&error), view = view.name, "the parts of a view that was not finished could not be removed yet");
            }
            Err(error)
        }
    }
}

/// What a finished view has.
struct Built {
    rows: Vec<(String, i64)>,
    differences: Vec<Difference>,
    left_out: LeftOut,
}

async fn build(
    shadow: &mut Shadow,
    stores: &Connections,
    view: &NewView,
    of: ViewModels,
    options: &RebuildOptions,
    observe: &(dyn Fn(RebuildProgress) + Send + Sync),
) -> Result<Built, RebuildError> {
    observe(RebuildProgress { phase: Phase::Folding, done: 0, total: fold::count(view.position) });
    let purged_by = query_scalar!("SELECT max(purged_by) FROM event_purges").fetch_one(&mut shadow.connection).await?;
    shadow.create_tables().await?;
    let extent = Extent { target: view.position, moment: view.moment };
    let FoldResult { late, parked, erased, mut left_out } = fold::fold(shadow, extent, options.kept_messages, observe).await?;
    index::build(shadow, observe).await?;
    let next = CatchUp::begin(shadow, view.position, &parked, stores.version(relational::NAME)).await?;
    let missing = next.apply_late(shadow, &late, observe).await?;
    match (view.moment, missing.first()) {
        (None, Some(position)) => return Err(RebuildError::Write(format!("the message of event {position} is not there").into())),
        _ => missing.into_iter().for_each(|position| left_out.add(position)),
    }
    erased.remove(&mut shadow.connection).await?;
    shadow.analyze().await?;
    shadow::clear(&mut shadow.connection).await?;
    let mut rows = Vec::new();
    for table in shadow.tables().await? {
        let count = format!("SELECT count(*) FROM {}.{table}", shadow.schema);
        rows.push((table, query_scalar::<_, i64>(&count).fetch_one(&mut shadow.connection).await?));
    }
    let mut differences = Vec::new();
    if let Some(elastic) = stores.elastic.as_ref().filter(|_| of == ViewModels::Search) {
        let filled = elastic.fill_view(&mut shadow.connection, &view.name, view.position, observe).await?;
        rows.extend(filled.documents);
        differences = filled.refused;
    }
    // Events that were read and then purged must not stay in the view. A purge after this statement drops the finished
    // view itself.
    let built = query!(
        "UPDATE replay_views SET is_built = TRUE WHERE name = $1 AND (SELECT max(purged_by) FROM event_purges) IS NOT DISTINCT FROM $2",
        view.name,
        purged_by
    );
    if built.execute(&mut shadow.connection).await?.rows_affected() == 0 {
        return Err(RebuildError::Log("events were purged from the log while the view was built: build it again".into()));
    }
    Ok(Built { rows, differences, left_out })
}

/// Removes what is left of views whose building was broken off, and of views that were dropped while Elasticsearch was
/// unreachable. The caller has the lock. What cannot be removed now stays recorded and is removed later.
pub(super) async fn clear(stores: &Connections, connection: &mut PgConnection) -> Result<(), RebuildError> {
    let left = query!("SELECT name, schema_name, created_at FROM replay_views WHERE NOT is_built").fetch_all(&mut *connection).await?;
    for view in left {
        connection.execute(format!("DROP SCHEMA IF EXISTS {} CASCADE", view.schema_name).as_str()).await?;
        ignore_left_indices(remove_view(stores, connection, &view.name, view.created_at).await, &view.name)?;
    }
    Ok(())
}

/// Drops the indices of the view that began at this time, and its record. A view of the same name that is started
/// meanwhile waits until both are gone.
async fn remove_view(stores: &Connections, connection: &mut PgConnection, name: &str, begun_at: DateTime<Utc>) -> Result<(), RebuildError> {
    let mut tx = connection.begin().await?;
    let left =
        query_scalar!("SELECT indices FROM replay_views WHERE name = $1 AND created_at = $2 AND NOT is_built FOR UPDATE", name, begun_at);
    let Some(indices) = left.fetch_optional(&mut *tx).await? else { return Ok(()) };
    match &stores.elastic {
        Some(elastic) => elastic.drop_view_indices(&indices).await.map_err(|error| RebuildError::IndicesLeft(error.into()))?,
        None if indices.is_empty() => {}
        None => return Err(RebuildError::IndicesLeft("the settings name no Elasticsearch".into())),
    }
    query!("DELETE FROM replay_views WHERE name = $1", name).execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}

/// Ignores a failure of Elasticsearch alone: those indices are removed later.
fn ignore_left_indices(removed: Result<(), RebuildError>, view: &str) -> Result<(), RebuildError> {
    match removed {
        Err(RebuildError::IndicesLeft(error)) => {
            tracing::warn!(error = %chain(error.as_ref()), view, "the indices of a view could not be removed yet");
            Ok(())
        }
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_of_a_moment_is_named_after_it() {
        let name = |moment: &str| NewView::of_moment(None, moment.parse().expect("a time"), 7).map(|view| view.name);
        assert_eq!(name("2016-01-01T00:00:00Z"), Some("at_20160101t000000z".into()));
        assert_eq!(name("2016-01-01T01:00:00.000500+01:00"), Some("at_20160101t000000_000500z".into()));
    }

    #[test]
    fn a_view_name_is_valid_for_a_schema() {
        assert_eq!(NewView::parse(None, 7).map(|view| view.schema()), Some("view_at_7".into()));
        assert_eq!(NewView::parse(Some("before_the_move"), 7).map(|view| view.schema()), Some("view_before_the_move".into()));
        for name in ["", "7", "_a", "a b", "A", "a;drop", &"a".repeat(51)] {
            assert_eq!(NewView::parse(Some(name), 7), None, "{name}");
        }
    }
}
