//! Reads the log by position: for catching up, for filling gaps, and for rebuilds. A read reaches the given position,
//! or fails.
//!
//! The log is read by `COPY … TO STDOUT` in the binary format, which costs half as much as a cursor or a query with
//! rows. The received bytes are decoded directly, without a tree of JSON values.

use domain::ids::{UserId, WorkspaceId};
use domain::{DecodeError, StreamId};
use futures::StreamExt;
use keyring::{KeyError, Keyring};
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::copy_out::{Malformed, Parser, as_row};
use super::delivery::{Deliveries, Delivery};

/// How many events a chunk has while reading ahead.
const CHUNK_EVENTS: usize = 2_000;

/// How many chunks are read ahead.
const CHUNKS_AHEAD: usize = 4;

/// Why the log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The database cannot be used at the moment.
    #[error("the log cannot be read")]
    Unavailable(#[from] sqlx::Error),
    /// An event is missing. Positions have no gap, so the log is damaged.
    #[error("the log has {found:?} where position {expected} must be")]
    Gap {
        /// The expected position.
        expected: i64,
        /// The position found. `None` if the log ended.
        found: Option<i64>,
    },
    /// The rows do not have the expected form.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The keys that unseal the log cannot be read at the moment.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A later release wrote an event. The event is not damaged, but a process that cannot read it must stop.
    #[error("a later release wrote the event at position {position}")]
    OfLaterRelease {
        /// Its position.
        position: i64,
        /// Why this release cannot decode it.
        source: DecodeError,
    },
}

/// Reads at most `limit` events right behind `after`.
///
/// # Errors
/// The log cannot be read, or has a gap.
pub async fn read(pool: &PgPool, keys: &Keyring, after: i64, limit: usize) -> Result<Vec<Delivery>, LogError> {
    let to = after.saturating_add(i64::try_from(limit).unwrap_or(i64::MAX));
    let events = collect(pool, keys, &between(after, to)).await?;
    check_gapless(after, &events)?;
    Ok(events)
}

/// Reads the events at these positions, in order of position.
///
/// # Errors
/// The log cannot be read, or one of the events does not exist.
pub async fn read_positions(pool: &PgPool, keys: &Keyring, positions: &[i64]) -> Result<Vec<Delivery>, LogError> {
    let list = positions.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let events = collect(pool, keys, &select(&format!("position = ANY ('{{{list}}}')"))).await?;
    for (expected, event) in positions.iter().zip(events.iter().map(Some).chain(std::iter::repeat(None))) {
        if event.map(|event| event.position) != Some(*expected) {
            return Err(LogError::Gap { expected: *expected, found: event.map(|event| event.position) });
        }
    }
    Ok(events)
}

/// Reads at most `limit` events that fulfil a condition, behind `after` and up to `to`.
///
/// # Errors
/// The log cannot be read.
pub async fn read_of(pool: &PgPool, keys: &Keyring, condition: &str, after: i64, to: i64, limit: usize) -> Result<Vec<Delivery>, LogError> {
    let rows = format!("position > {after} AND position <= {to} AND {condition}");
    collect(pool, keys, &limited(&rows, &format!(" LIMIT {limit}"))).await
}

/// Reads the events that fulfil a condition, in order of position. The condition must name few events.
///
/// # Errors
/// The log cannot be read.
pub async fn read_where(pool: &PgPool, keys: &Keyring, condition: &str) -> Result<Vec<Delivery>, LogError> {
    collect(pool, keys, &select(condition)).await
}

/// Reads at most `limit` events of workspaces, and of users, who belong to no workspace: behind `after` and up to `to`.
/// Each part is read from an index of its own, so that events of other workspaces cost nothing.
///
/// # Errors
/// The log cannot be read.
pub async fn read_of_workspaces(
    pool: &PgPool,
    keys: &Keyring,
    workspaces: &[WorkspaceId],
    after: i64,
    to: i64,
    limit: usize,
) -> Result<Vec<Delivery>, LogError> {
    let part = |condition: &str| {
        format!("(SELECT * FROM events WHERE {condition} AND position > {after} AND position <= {to} ORDER BY position LIMIT {limit})")
    };
    let of_workspaces = workspaces.iter().map(|workspace_id| part(&format!("workspace_id = '{workspace_id}'")));
    let parts = of_workspaces.chain([part("aggregate_type = 'user'")]).collect::<Vec<_>>().join(" UNION ALL ");
    collect(pool, keys, &from(&format!("({parts}) AS parts"), "TRUE", &format!(" LIMIT {limit}"))).await
}

/// The first part of a stream.
#[derive(Clone, Debug)]
pub struct StreamPrefix {
    /// The stream.
    pub stream: StreamId,
    /// The last place of the stream that is read.
    pub to: i64,
    /// Of events with these names, only those about these people: in a large channel, most members do not matter to the
    /// caller.
    pub only_about: Option<(&'static [&'static str], Vec<UserId>)>,
}

/// Reads the events of the first parts of streams, in order of position.
///
/// # Errors
/// The log cannot be read.
pub async fn read_streams(pool: &PgPool, keys: &Keyring, streams: &[StreamPrefix]) -> Result<Vec<Delivery>, LogError> {
    collect(pool, keys, &select(&streams.iter().map(condition).collect::<Vec<_>>().join(" OR "))).await
}

fn condition(StreamPrefix { stream, to, only_about }: &StreamPrefix) -> String {
    let events = format!("aggregate_type = '{}' AND aggregate_id = '{}' AND sequence <= {to}", stream.aggregate.as_str(), stream.id);
    let Some((names, people)) = only_about else { return format!("({events})") };
    let list = |items: Vec<String>| items.iter().map(|item| format!("'{item}'")).collect::<Vec<_>>().join(", ");
    let names = list(names.iter().map(ToString::to_string).collect());
    let others = format!("event_type NOT IN ({names})");
    if people.is_empty() {
        return format!("({events} AND {others})");
    }
    let people = list(people.iter().map(ToString::to_string).collect());
    format!("({events} AND ({others} OR payload -> event_type ->> 'user_id' IN ({people})))")
}

/// The log from one position to another, read and decoded ahead by a task of its own.
#[derive(Debug)]
pub struct LogStream {
    chunks: mpsc::Receiver<Result<Vec<Delivery>, LogError>>,
    _reader: AbortOnDropHandle<()>,
}

impl LogStream {
    /// Reads the events behind `after`, up to `to`.
    pub fn open(pool: PgPool, keys: Keyring, after: i64, to: i64) -> Self {
        let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
        let reader = tokio::spawn(async move {
            if let Err(error) = read_ahead(&pool, &keys, after, to, &sender).await {
                // This fails only if the receiver has stopped.
                drop(sender.send(Err(error)).await);
            }
        });
        Self { chunks, _reader: AbortOnDropHandle::new(reader) }
    }

    /// The next chunk. `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Vec<Delivery>, LogError>> {
        self.chunks.recv().await
    }
}

async fn read_ahead(
    pool: &PgPool,
    keys: &Keyring,
    after: i64,
    to: i64,
    chunks: &mpsc::Sender<Result<Vec<Delivery>, LogError>>,
) -> Result<(), LogError> {
    let mut copying = CopyConnection::on(pool).await?;
    let mut rows = copying.connection.copy_out_raw(&between(after, to)).await?;
    let mut parser = Parser::default();
    let mut reached = after;
    let mut chunk = Deliveries::with_capacity(CHUNK_EVENTS);
    while let Some(bytes) = rows.next().await {
        parser.feed(&bytes?, |row| as_row(row).map(|row| chunk.push(&row, keys)))?;
        if chunk.len() >= CHUNK_EVENTS {
            let full = std::mem::replace(&mut chunk, Deliveries::with_capacity(CHUNK_EVENTS));
            let full = refuse_later_releases(full.finish(keys).await?)?;
            reached = check_gapless(reached, &full)?;
            if chunks.send(Ok(full)).await.is_err() {
                return Ok(());
            }
        }
    }
    drop(rows);
    copying.is_read = true;
    let chunk = refuse_later_releases(chunk.finish(keys).await?)?;
    reached = check_gapless(reached, &chunk)?;
    if reached < to {
        return Err(LogError::Gap { expected: reached + 1, found: None });
    }
    if !chunk.is_empty() {
        drop(chunks.send(Ok(chunk)).await);
    }
    Ok(())
}

/// Returns the last position if the events follow each other without a gap.
fn check_gapless(after: i64, events: &[Delivery]) -> Result<i64, LogError> {
    let mut reached = after;
    for event in events {
        if event.position != reached + 1 {
            return Err(LogError::Gap { expected: reached + 1, found: Some(event.position) });
        }
        reached = event.position;
    }
    Ok(reached)
}

async fn collect(pool: &PgPool, keys: &Keyring, statement: &str) -> Result<Vec<Delivery>, LogError> {
    let mut events = Deliveries::default();
    let mut copying = CopyConnection::on(pool).await?;
    let mut rows = copying.connection.copy_out_raw(statement).await?;
    let mut parser = Parser::default();
    while let Some(bytes) = rows.next().await {
        parser.feed(&bytes?, |row| as_row(row).map(|row| events.push(&row, keys)))?;
    }
    drop(rows);
    copying.is_read = true;
    refuse_later_releases(events.finish(keys).await?)
}

/// An event of a later release is not parked: it is not damaged, and a process of that release can apply it.
fn refuse_later_releases(events: Vec<Delivery>) -> Result<Vec<Delivery>, LogError> {
    let passed = |event: Delivery| match event {
        Delivery { position, event: Err(source), .. } if source.is_of_later_release() => Err(LogError::OfLaterRelease { position, source }),
        event => Ok(event),
    };
    events.into_iter().map(passed).collect()
}

/// A connection that copies rows. If the rows are not read to their end, because the reader failed or was cancelled,
/// the connection is closed: the remaining rows would be taken for the answer to the next query.
struct CopyConnection {
    connection: PoolConnection<Postgres>,
    is_read: bool,
}

impl CopyConnection {
    async fn on(pool: &PgPool) -> sqlx::Result<Self> {
        Ok(Self { connection: pool.acquire().await?, is_read: false })
    }
}

impl Drop for CopyConnection {
    fn drop(&mut self) {
        if !self.is_read {
            self.connection.close_on_drop();
        }
    }
}

fn between(after: i64, to: i64) -> String {
    select(&format!("position > {after} AND position <= {to}"))
}

/// `COPY` takes no parameters. The condition contains only numbers, identifiers and names made by this program.
fn select(condition: &str) -> String {
    limited(condition, "")
}

fn limited(condition: &str, limit: &str) -> String {
    from("events", condition, limit)
}

fn from(source: &str, condition: &str, limit: &str) -> String {
    format!(
        "COPY (SELECT position, event_id, aggregate_type, aggregate_id, sequence, workspace_id, recorded_at, event_type, event_version, \
         payload, metadata FROM {source} WHERE {condition} ORDER BY position{limit}) TO STDOUT (FORMAT binary)"
    )
}
