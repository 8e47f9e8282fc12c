//! A view: the relational model as of a position, in a schema of its own, to look at with `psql`; and, where the search is wanted as of then,
//! indices of their own that are made from it. Nothing keeps either up with the log.

use std::time::Instant;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{Executor, PgConnection, PgPool, query, query_as, query_scalar};
use utoipa::ToSchema;

use super::catch_up::CatchUp;
use super::fold::{self, Folded};
use super::index;
use super::report::{Phase, RebuildError, RebuildOptions, RebuildProgress, RebuildReport};
use super::shadow::{self, Shadow};
use super::turn::Turn;
use crate::search::elasticsearch;
use crate::stores::Stores;
use crate::{relational, states};

/// The most characters of a view's name: its schema's must fit into 63 bytes.
const NAME_CHARS_MAX: usize = 50;

/// A view that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewView {
    name: String,
    position: i64,
}

/// A view that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct View {
    /// Its name.
    #[schema(example = "at_4711")]
    pub name: String,
    /// The schema that its tables are in.
    #[schema(example = "view_at_4711")]
    pub schema_name: String,
    /// The indices of Elasticsearch that hold its messages and members; none, where the relational model alone was wanted.
    pub indices: Vec<String>,
    /// It holds every event up to and with this one.
    pub position: i64,
    /// When it was built.
    pub created_at: DateTime<Utc>,
}

impl NewView {
    /// A view of that position, under that name, or under one that says the position. Nothing, where the name is none: it has lower case
    /// letters, digits and `_`, and begins with a letter.
    #[must_use]
    pub fn parse(name: Option<&str>, position: i64) -> Option<Self> {
        let name = name.map_or_else(|| format!("at_{position}"), str::to_owned);
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
        let goes_on = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        (begins && goes_on && name.len() <= NAME_CHARS_MAX).then_some(Self { name, position })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its position.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.position
    }

    fn schema(&self) -> String {
        format!("view_{}", self.name)
    }
}

/// The position of the last event that was recorded at or before `moment`; 0 where there is none.
///
/// # Errors
/// The database cannot be used.
pub async fn position_at(pool: &PgPool, moment: DateTime<Utc>) -> sqlx::Result<i64> {
    // The moments increase with the positions, which alone are indexed.
    let (mut at_most, mut behind) = (0, states::head(pool).await? + 1);
    while at_most + 1 < behind {
        let middle = at_most + (behind - at_most) / 2;
        let recorded = query_scalar!("SELECT recorded_at FROM events WHERE position = $1", middle).fetch_one(pool).await?;
        if recorded <= moment { at_most = middle } else { behind = middle }
    }
    Ok(at_most)
}

/// The views that are there, the latest first.
///
/// # Errors
/// The database cannot be used.
pub async fn views(pool: &PgPool) -> sqlx::Result<Vec<View>> {
    let found = query_as!(
        View,
        "SELECT name, schema_name, indices, position, created_at FROM replay_views WHERE is_built ORDER BY created_at DESC"
    );
    found.fetch_all(pool).await
}

/// Drops a view. Answers no where there is none of that name.
///
/// # Errors
/// The database cannot be used, or Elasticsearch, where the view has indices there: then it can be dropped again.
pub async fn drop_view(stores: &Stores, name: &str) -> Result<bool, RebuildError> {
    let mut tx = stores.pool.begin().await?;
    let dropped = query!("DELETE FROM replay_views WHERE name = $1 AND is_built RETURNING schema_name, indices", name);
    let Some(view) = dropped.fetch_optional(&mut *tx).await? else { return Ok(false) };
    tx.execute(format!("DROP SCHEMA IF EXISTS {} CASCADE", view.schema_name).as_str()).await?;
    drop_indices(stores, &view.indices).await?;
    tx.commit().await?;
    Ok(true)
}

async fn drop_indices(stores: &Stores, indices: &[String]) -> Result<(), RebuildError> {
    match &stores.elastic {
        Some(elastic) => Ok(elastic.drop_view_indices(indices).await?),
        None if indices.is_empty() => Ok(()),
        None => {
            tracing::warn!(?indices, "the indices of a view stay: Elasticsearch is not in the settings any more");
            Ok(())
        }
    }
}

/// Removes what replays have kept of people who were erased since: views that were begun before, and the rows in reports. Nothing keeps either up
/// with the log, so nothing else would.
///
/// # Errors
/// The database cannot be used, or Elasticsearch, where a view has indices there.
pub async fn forget_the_erased(stores: &Stores) -> Result<(), RebuildError> {
    let stale = query_scalar!(
        "SELECT name FROM replay_views WHERE is_built AND created_at <= (SELECT max(destroyed_at) FROM secret.person_keys) ORDER BY name"
    );
    for name in stale.fetch_all(&stores.pool).await? {
        drop_view(stores, &name).await?;
    }
    query!(
        "UPDATE replays SET report = jsonb_set(report, '{differences}', '[]')
         WHERE jsonb_array_length(report -> 'differences') > 0
           AND started_at <= (SELECT max(destroyed_at) FROM secret.person_keys)"
    )
    .execute(&stores.pool)
    .await?;
    Ok(())
}

/// Builds a view of the projection whose turn it is. One of the search is made from a relational one, which stays with it.
///
/// # Errors
/// There is one of that name, its position is beyond the log, the database fails, or it was cancelled: then nothing of it stays.
pub async fn build_view(
    turn: Turn,
    stores: &Stores,
    view: &NewView,
    options: RebuildOptions,
    observe: impl Fn(RebuildProgress) + Send + Sync,
) -> Result<RebuildReport, RebuildError> {
    let indices = match &stores.elastic {
        Some(elastic) if turn.projection == elasticsearch::NAME => elastic.view_indices(&view.name),
        _ => Vec::new(),
    };
    if turn.projection == relational::NAME {
        return build_in(turn, stores, view, &indices, options, &observe).await;
    }
    let relational = Turn::take(&stores.pool, relational::NAME).await?;
    let built = build_in(relational, stores, view, &indices, options, &observe).await;
    turn.give_back().await;
    built
}

async fn build_in(
    mut turn: Turn,
    stores: &Stores,
    view: &NewView,
    indices: &[String],
    options: RebuildOptions,
    observe: &(dyn Fn(RebuildProgress) + Send + Sync),
) -> Result<RebuildReport, RebuildError> {
    let began = Instant::now();
    let schema = view.schema();
    clear(stores, &mut turn.connection).await?;
    let head = states::head(&mut turn.connection).await?;
    if view.position < 0 || view.position > head {
        return Err(RebuildError::Beyond { position: view.position, head });
    }
    let begun = query!(
        "INSERT INTO replay_views (name, schema_name, position, indices) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        view.name,
        schema,
        view.position,
        indices
    );
    if begun.execute(&mut turn.connection).await?.rows_affected() == 0 {
        return Err(RebuildError::ViewThere(view.name.clone()));
    }
    let mut shadow = Shadow::open(stores, turn, &schema).await?;
    let cancel = options.cancel.clone();
    let built = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(RebuildError::Cancelled),
        built = build(&mut shadow, stores, view, indices, &options, observe) => built,
    };
    match built {
        Ok(rows) => {
            shadow.close().await;
            Ok(RebuildReport {
                events: fold::count(view.position),
                position: view.position,
                compared_at: None,
                rows,
                differences: Vec::new(),
                switched: false,
                held_up: std::time::Duration::ZERO,
                elapsed: began.elapsed(),
                phases: Vec::new(),
            })
        }
        Err(error) => {
            shadow.discard().await;
            // What cannot be removed now is removed by the next one.
            if let Err(error) = forget(stores, &mut *stores.pool.acquire().await?, &view.name, indices).await {
                tracing::warn!(%error, view = view.name, "what was built of a view could not be removed yet");
            }
            Err(error)
        }
    }
}

async fn build(
    shadow: &mut Shadow,
    stores: &Stores,
    view: &NewView,
    indices: &[String],
    options: &RebuildOptions,
    observe: &(dyn Fn(RebuildProgress) + Send + Sync),
) -> Result<Vec<(String, i64)>, RebuildError> {
    observe(RebuildProgress { phase: Phase::Folding, done: 0, total: fold::count(view.position) });
    shadow.create_tables().await?;
    let Folded { late, parked, erased } = fold::fold(shadow, view.position, options.kept_messages, observe).await?;
    index::build(shadow, observe).await?;
    let next = CatchUp::begin(shadow, view.position, &parked, stores.version(relational::NAME)).await?;
    next.apply_late(shadow, &late, observe).await?;
    erased.remove(&mut shadow.connection).await?;
    shadow.analyze().await?;
    shadow::clear(&mut shadow.connection).await?;
    let mut rows = Vec::new();
    for table in shadow.tables().await? {
        let count = format!("SELECT count(*) FROM {}.{table}", shadow.schema);
        rows.push((table, query_scalar::<_, i64>(&count).fetch_one(&mut shadow.connection).await?));
    }
    if let Some(elastic) = stores.elastic.as_ref().filter(|_| !indices.is_empty()) {
        rows.extend(elastic.fill_view(&mut shadow.connection, &view.name, observe).await?);
    }
    query!("UPDATE replay_views SET is_built = TRUE WHERE name = $1", view.name).execute(&mut shadow.connection).await?;
    Ok(rows)
}

/// Removes views whose building was cut off. The caller has the turn. What Elasticsearch has of one while it is away is removed by the next one.
pub(super) async fn clear(stores: &Stores, connection: &mut PgConnection) -> sqlx::Result<()> {
    let unfinished = query!("SELECT name, schema_name, indices FROM replay_views WHERE NOT is_built").fetch_all(&mut *connection).await?;
    for view in unfinished {
        connection.execute(format!("DROP SCHEMA IF EXISTS {} CASCADE", view.schema_name).as_str()).await?;
        match forget(stores, connection, &view.name, &view.indices).await {
            Err(RebuildError::Database(error)) => return Err(error),
            Err(error) => tracing::warn!(%error, view = view.name, "what was built of a view could not be removed yet"),
            Ok(()) => {}
        }
    }
    Ok(())
}

async fn forget(stores: &Stores, connection: &mut PgConnection, name: &str, indices: &[String]) -> Result<(), RebuildError> {
    drop_indices(stores, indices).await?;
    query!("DELETE FROM replay_views WHERE name = $1 AND NOT is_built", name).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_a_schema_may_have() {
        assert_eq!(NewView::parse(None, 7).map(|view| view.schema()), Some("view_at_7".into()));
        assert_eq!(NewView::parse(Some("before_the_move"), 7).map(|view| view.schema()), Some("view_before_the_move".into()));
        for name in ["", "7", "_a", "a b", "A", "a;drop", &"a".repeat(51)] {
            assert_eq!(NewView::parse(Some(name), 7), None, "{name}");
        }
    }
}
