//! Computes the whole proof again from the stored columns, and reports what does not match. The first event that does
//! not match comes first.
//!
//! It reads one snapshot of the database, page by page over several connections, and needs about forty bytes of memory
//! for each stream.

mod comparison;
mod finding;
mod page;
mod purges;

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection, PgPool, query, query_scalar};
use stores::log::copy_out::Malformed;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::keyring::{self, KeyError};
use super::note::{SignedCheckpoint, VerifyingKey};
use super::store::StoredCheckpoint;

use comparison::{Comparison, Head, Source};
pub use finding::Finding;
use page::Page;

/// The events of one page: as many as 64 tiles of level 0 cover.
const PAGE_EVENTS: i64 = 16_384;

/// How many connections read pages.
const READERS: usize = 2;

/// How many pages each connection reads ahead.
const PAGES_AHEAD: usize = 2;

/// What else to compare with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Heads that were kept outside.
    pub outside: Vec<SignedCheckpoint>,
    /// Public keys that were kept outside. If there are none, the keys in the database are used.
    pub keys: Vec<VerifyingKey>,
}

/// The result of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How many events were read.
    pub events: u64,
    /// How many of them the newest signed head covers.
    pub signed: u64,
    /// How many stored heads were compared.
    pub heads: u64,
    /// How many heads from outside were compared.
    pub outside: u64,
    /// How many events have lost their payload by a purge, or the identifier of a client by its removal, as the log
    /// records.
    pub purged: u64,
    /// The first findings, by position.
    pub findings: Vec<Finding>,
    /// The number of all findings.
    pub findings_total: u64,
    /// How long the verification took.
    pub elapsed: Duration,
}

/// Why the verification could not be done.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The database did not answer.
    #[error("the log cannot be read")]
    Database(#[from] sqlx::Error),
    /// The keys cannot be read.
    #[error("the public keys cannot be read")]
    Keys(#[from] KeyError),
    /// A column does not have the expected form.
    #[error(transparent)]
    Malformed(Box<dyn std::error::Error + Send + Sync>),
    /// A reader ended without an error.
    #[error("a page of the log was not read")]
    Lost,
}

impl From<Malformed> for VerifyError {
    fn from(error: Malformed) -> Self {
        Self::Malformed(Box::new(error))
    }
}

/// Verifies the whole log as it is now. Calls `observe` with the number of verified events and of all events.
///
/// # Errors
/// The database does not answer, or a column does not have the expected form.
pub async fn verify(pool: &PgPool, options: &Options, mut observe: impl FnMut(u64, u64)) -> Result<Report, VerifyError> {
    let began = Instant::now();
    let mut leader = connect(pool).await?;
    let snapshot = query_scalar!(r#"SELECT pg_export_snapshot() AS "snapshot!""#).fetch_one(&mut leader).await?;
    let last = query_scalar!(r#"SELECT coalesce(max(position), 0) AS "last!" FROM events"#).fetch_one(&mut leader).await?;
    let mut comparison = prepare(&mut leader, options).await?;

    let pages = (0..=last / PAGE_EVENTS).map(|page| page * PAGE_EVENTS).filter(|after| *after < last).collect::<Vec<_>>();
    let (mut readers, mut tasks) = (Vec::new(), JoinSet::new());
    for number in 0..READERS.min(pages.len()) {
        let (sender, receiver) = mpsc::channel(PAGES_AHEAD);
        let own = pages.iter().copied().skip(number).step_by(READERS).collect::<Vec<_>>();
        tasks.spawn(read(pool.clone(), snapshot.clone(), own, last, sender));
        readers.push(receiver);
    }
    for (number, after) in pages.iter().enumerate() {
        let page = readers[number % READERS].recv().await.ok_or(VerifyError::Lost)??;
        comparison.compare_page(*after, (after + PAGE_EVENTS).min(last), &page);
        observe((after + PAGE_EVENTS).min(last).unsigned_abs(), last.unsigned_abs());
    }
    // The snapshot must be held until here.
    leader.close().await?;
    Ok(comparison.end(last, began.elapsed()))
}

/// A connection with a transaction that sees one state of the database.
async fn connect(pool: &PgPool) -> sqlx::Result<PgConnection> {
    let options = pool.connect_options().as_ref().clone().application_name("backscroll verify");
    let mut connection = PgConnection::connect_with(&options).await?;
    query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").execute(&mut connection).await?;
    Ok(connection)
}

/// Collects everything that the log is compared with, except the leaves.
async fn prepare(connection: &mut PgConnection, options: &Options) -> Result<Comparison, VerifyError> {
    let published = keyring::verifying(connection).await?;
    let stored = sqlx::query_as!(StoredCheckpoint, "SELECT size, root, note, signed_at FROM proof.checkpoints ORDER BY size");
    let stored = stored.fetch_all(&mut *connection).await?;
    let was_signed = query_scalar!(r#"SELECT EXISTS (SELECT FROM proof.keys WHERE first_size IS NOT NULL) AS "was!""#);
    let was_signed = was_signed.fetch_one(&mut *connection).await?;
    let upper = page::upper_tiles(connection).await?;
    let purges = purges::read(connection).await?;
    let mut comparison = Comparison::new(upper, purges);
    if was_signed && stored.is_empty() {
        comparison.report(Finding::HeadsGone);
    }
    let trusted = if options.keys.is_empty() { &published } else { &options.keys };
    let newest = stored.last().map(|head| head.size);
    let mut heads = Vec::new();
    for head in stored {
        // Keys from outside may be newer than old heads. The newest head must be signed with one of them.
        let keys = if newest == Some(head.size) { trusted } else { &published };
        heads.extend(read_head(&head, keys, &mut comparison));
    }
    for outside in &options.outside {
        let size = outside.checkpoint.size;
        if let Err(why) = outside.verify(trusted) {
            comparison.report(Finding::Signature { size, is_outside: true, why: why.to_string() });
        }
        if trusted.iter().all(|key| key.name() != outside.checkpoint.origin) {
            comparison.report(Finding::OtherLog { size, origin: outside.checkpoint.origin.clone() });
        }
        heads.push(Head { size, root: outside.checkpoint.root, source: Source::Outside });
    }
    comparison.expect(heads);
    Ok(comparison)
}

/// Reads a stored head, if its signature, its note and its columns match.
fn read_head(head: &StoredCheckpoint, keys: &[VerifyingKey], comparison: &mut Comparison) -> Option<Head> {
    let size = head.size.unsigned_abs();
    let mut refuse = |why: String| comparison.report(Finding::Signature { size, is_outside: false, why });
    let signed = match head.note.parse::<SignedCheckpoint>() {
        Ok(signed) => signed,
        Err(why) => {
            refuse(why.to_string());
            return None;
        }
    };
    if let Err(why) = signed.verify(keys) {
        refuse(why.to_string());
    }
    if signed.checkpoint.size != size || signed.checkpoint.root.0.as_slice() != head.root {
        refuse("the note says another size or root than its row".to_owned());
    }
    Some(Head { size: signed.checkpoint.size, root: signed.checkpoint.root, source: Source::Stored })
}

/// Reads some pages on a connection of its own, in the leader's snapshot.
async fn read(pool: PgPool, snapshot: String, pages: Vec<i64>, last: i64, sender: mpsc::Sender<Result<Page, VerifyError>>) {
    let outcome = async {
        let mut connection = connect(&pool).await?;
        // Postgres makes the name itself: it has only letters, digits and dashes.
        query(&format!("SET TRANSACTION SNAPSHOT '{snapshot}'")).execute(&mut connection).await?;
        for after in pages {
            let page = page::read(&mut connection, after, (after + PAGE_EVENTS).min(last)).await?;
            if sender.send(Ok(page)).await.is_err() {
                break;
            }
        }
        Ok(connection.close().await?)
    };
    if let Err(error) = outcome.await {
        // This fails only if the receiver has stopped.
        drop(sender.send(Err(error)).await);
    }
}
