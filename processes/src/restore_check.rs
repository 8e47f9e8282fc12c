//! `backscroll restore check`: what a restored database has, what it lacks, and what will be made again. It changes
//! nothing.

use keyring::{KeyError, MasterKeys};
use ledger::proof::Proofs;
use ledger::proof::verify::{self, Finding, Options, VerifyError};
use projections::restored::{ReadTables, read_tables};
use sqlx::{PgPool, query};
use stores::log::digest::event_digest;
use stores::postgres::missing_migrations;
use stores::release::{self, ReleaseError};
use stores::restored::schemas::{MissingTables, last_migration, missing_tables};
use stores::restored::{identity, keys};

/// How many events are read if not the whole log is verified.
const SAMPLE_EVENTS: i32 = 2_000;
/// How many keys are opened with the master key.
const SAMPLE_KEYS: i64 = 1_000;
/// The schemas that only a backup has.
const ORIGINALS: [&str; 2] = ["public", "secret"];

/// The result of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It is there.
    Present,
    /// It is missing, and the server makes it again.
    Rebuilt,
    /// It is missing, and a server runs without it. Somebody must decide how to go on.
    Lost,
    /// It is missing or wrong, and a server cannot answer without it.
    Missing,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What was checked.
    pub what: &'static str,
    /// The result.
    pub mark: Mark,
    /// What was found, and what to do.
    pub detail: String,
}

/// Why the check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Postgres does not answer, or refuses.
    #[error("the database cannot be read")]
    Postgres(#[from] sqlx::Error),
    /// The log cannot be verified.
    #[error("the log cannot be verified")]
    Verify(#[from] VerifyError),
    /// The proof cannot be read.
    #[error("the proof of the log cannot be read")]
    Proof(#[from] ledger::proof::ProveError),
}

/// The check of one database.
pub struct RestoreCheck<'a> {
    pool: &'a PgPool,
    master: &'a MasterKeys,
    lines: Vec<Line>,
}

impl<'a> RestoreCheck<'a> {
    /// Checks the database of this pool, whose keys this master key has wrapped.
    #[must_use]
    pub fn new(pool: &'a PgPool, master: &'a MasterKeys) -> Self {
        Self { pool, master, lines: Vec::new() }
    }

    /// Checks everything, in an order in which each check relies on the ones before. If something basic is missing, the
    /// later checks are left out. `whole` verifies every event of the log; `observe` is then called with the progress.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn run(mut self, whole: bool, observe: impl FnMut(u64, u64)) -> Result<Vec<Line>, CheckError> {
        if !self.check_release().await? || !self.check_tables().await? {
            return Ok(self.lines);
        }
        self.check_positions().await?;
        if whole {
            self.verify(observe).await?
        } else {
            self.check_digests().await?
        }
        self.check_accounts().await?;
        self.check_keys().await?;
        self.check_proof().await?;
        self.check_read_tables().await?;
        self.check_copy().await?;
        Ok(self.lines)
    }

    fn add(&mut self, what: &'static str, mark: Mark, detail: impl Into<String>) {
        self.lines.push(Line { what, mark, detail: detail.into() });
    }

    fn present(&mut self, what: &'static str, detail: impl Into<String>) {
        self.add(what, Mark::Present, detail);
    }

    fn missing(&mut self, what: &'static str, detail: impl Into<String>) {
        self.add(what, Mark::Missing, detail);
    }

    async fn check_release(&mut self) -> Result<bool, CheckError> {
        let mut connection = self.pool.acquire().await?;
        let Some(last) = last_migration(&mut connection).await? else {
            self.missing("schema", "the database has no migrations: restore the backup of the schema `public` first");
            return Ok(false);
        };
        match release::check(self.pool).await {
            Ok(()) => {}
            Err(ReleaseError::Outdated(outdated)) => {
                self.missing("release", outdated.to_string());
                return Ok(false);
            }
            Err(ReleaseError::Postgres(error)) => return Err(error.into()),
        }
        let pending = missing_migrations(self.pool).await?;
        if !pending.is_empty() {
            let detail =
                format!("an earlier release wrote it: {} migrations are missing after {last}: run `backscroll migrate`", pending.len());
            self.missing("release", detail);
            return Ok(false);
        }
        let by = identity::read(&mut connection).await?.release;
        self.present("release", format!("its last migration is {last}; written by backscroll {}", by.as_deref().unwrap_or("before 0.2.0")));
        Ok(true)
    }

    async fn check_tables(&mut self) -> Result<bool, CheckError> {
        let missing = missing_tables(&mut *self.pool.acquire().await?).await?;
        for schema in ORIGINALS {
            match listed(&missing, schema) {
                None => self.present("schema", format!("{schema}: every table")),
                Some(tables) => self.missing("schema", format!("{schema} lacks {tables}: restore the schema from its backup")),
            }
        }
        for (schema, note) in [("read", "it is created, and built from the log"), ("state", "it is created without exports")] {
            match listed(&missing, schema) {
                None => self.present("schema", format!("{schema}: every table")),
                Some(_) => self.add(
                    "schema",
                    Mark::Rebuilt,
                    format!("{schema} is missing: {note}, by `backscroll migrate` or when a server starts"),
                ),
            }
        }
        Ok(ORIGINALS.iter().all(|schema| !missing.contains_key(*schema)))
    }

    async fn check_positions(&mut self) -> Result<(), CheckError> {
        let log = query!(r#"SELECT count(*) AS "events!", coalesce(max(position), 0) AS "head!" FROM public.events"#);
        let log = log.fetch_one(self.pool).await?;
        if log.events == log.head {
            self.present("log", format!("{} events, without a gap", log.events));
        } else {
            let detail = format!("{} events up to position {}: some are missing, so the restore is not complete", log.events, log.head);
            self.missing("log", detail);
        }
        Ok(())
    }

    /// Computes the digests of events that are chosen at random. Emptied events keep the digests of their first contents.
    async fn check_digests(&mut self) -> Result<(), CheckError> {
        let rows = query!(
            r#"SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text AS "payload!",
                      metadata::text AS "metadata!", event_id, workspace_id, recorded_at, digest
               FROM public.events e
               WHERE position IN (SELECT 1 + floor(random() * (SELECT max(position) FROM public.events))::bigint FROM generate_series(1, $1))
                 AND NOT EXISTS (SELECT FROM public.event_purges p WHERE p.position = e.position)
                 AND NOT EXISTS (SELECT FROM public.client_id_removals r WHERE r.position = e.position)"#,
            SAMPLE_EVENTS
        );
        let rows = rows.fetch_all(self.pool).await?;
        let wrong = rows.iter().find(|row| {
            let digest = event_digest(
                row.position,
                &row.aggregate_type,
                &row.aggregate_id,
                row.sequence,
                &row.event_type,
                &row.event_version,
                &row.payload,
                &row.metadata,
                row.event_id,
                row.workspace_id,
                row.recorded_at,
            );
            digest[..] != row.digest[..]
        });
        match wrong {
            None => self.present("digests", format!("{} events of a sample match; --whole reads every event", rows.len())),
            Some(row) => self.missing("digests", format!("event {} was changed: restore another backup", row.position)),
        }
        Ok(())
    }

    async fn verify(&mut self, observe: impl FnMut(u64, u64)) -> Result<(), CheckError> {
        let report = verify::verify(self.pool, &Options::default(), observe).await?;
        if report.findings_total == 0 {
            self.present("digests", format!("all {} events match, and so do {} signed heads", report.events, report.heads));
        } else {
            let first = report.findings.first().map(Finding::to_string).unwrap_or_default();
            self.missing("digests", format!("{} findings: {first}; `backscroll audit verify` lists them", report.findings_total));
        }
        Ok(())
    }

    /// Checks the tables that the log does not replace. They are empty if months of the log were restored without them.
    async fn check_accounts(&mut self) -> Result<(), CheckError> {
        let found = query!(
            r#"SELECT EXISTS (SELECT FROM public.events WHERE aggregate_type = 'user' AND sequence = 1) AS "users!",
                      EXISTS (SELECT FROM public.claims) AS "claims!", EXISTS (SELECT FROM secret.credentials) AS "credentials!""#
        );
        let found = found.fetch_one(self.pool).await?;
        for (table, there, consequence) in [
            ("public.claims", found.claims, "names could be taken twice"),
            ("secret.credentials", found.credentials, "nobody can sign in with a password"),
        ] {
            if there || !found.users {
                self.present("accounts", format!("{table} has rows, or the log has no users"));
            } else {
                self.missing("accounts", format!("{table} is empty: {consequence}: restore its rows from the backup"));
            }
        }
        Ok(())
    }

    async fn check_keys(&mut self) -> Result<(), CheckError> {
        if let Some(missing) = keys::missing(self.pool).await? {
            self.missing("keys", missing.to_string());
        }
        let counts = keys::count(self.pool).await?;
        if counts.replaced > 0 {
            let detail = format!(
                "{} users have another key than the log names: a server ran without the backup of the keys. Restore the schema `secret` again",
                counts.replaced
            );
            self.missing("keys", detail);
        }
        if counts.returned > 0 {
            let detail = format!("{} erased people have keys again: they are destroyed when a server starts", counts.returned);
            self.add("keys", Mark::Rebuilt, detail);
        }
        match keyring::check(self.pool, self.master, SAMPLE_KEYS).await {
            Ok((opened, 0)) => {
                let (present, destroyed) = (counts.present, counts.destroyed);
                self.present("keys", format!("{present} keys, {destroyed} destroyed; the master key opens {opened} of a sample"));
            }
            Ok((_, foreign)) => {
                let detail = format!("{foreign} keys are of another master key: set `master_key` to the one of the backup");
                self.missing("keys", detail);
            }
            Err(KeyError::Postgres(error)) => return Err(error.into()),
            Err(damaged) => self.missing("keys", damaged.to_string()),
        }
        Ok(())
    }

    /// Checks that the log has every event that was signed, and that the signing key is there.
    async fn check_proof(&mut self) -> Result<(), CheckError> {
        let missing = missing_tables(&mut *self.pool.acquire().await?).await?;
        let private = query!(r#"SELECT vkey FROM secret.proof_keys ORDER BY vkey"#).fetch_all(self.pool).await?;
        if missing.contains_key("proof") {
            let detail = "the schema proof is missing: its signed heads and public keys are in no other place of the database. Restore it \
                          from a backup, or see docs/AUDIT.md: the log is not signed with the earlier trust without it";
            self.add("proof", Mark::Lost, detail);
            return Ok(());
        }
        let proofs = Proofs::new(self.pool.clone());
        let (newest, head) = (proofs.newest().await?, stores::log::head(self.pool).await?);
        let signing = proofs.keys().await?.into_iter().rev().find(|key| key.retired_at.is_none());
        match newest {
            Some(newest) if newest.size > head => {
                let detail = format!("a signed head has {} events, and the log has {head}: the backup of the log is older", newest.size);
                self.missing("proof", detail);
            }
            Some(newest) => self.present("proof", format!("the newest signed head has {} events", newest.size)),
            None => self.present("proof", "no head is signed yet"),
        }
        match signing {
            Some(key) if private.iter().any(|row| row.vkey == key.vkey) => self.present("proof", format!("the key {} signs", key.vkey)),
            Some(key) => {
                let detail = format!("the private part of {} is not in the database: proof_key_file must name its file", key.vkey);
                self.present("proof", detail);
            }
            None => self.present("proof", "there is no signing key yet"),
        }
        Ok(())
    }

    async fn check_read_tables(&mut self) -> Result<(), CheckError> {
        let mut connection = self.pool.acquire().await?;
        if missing_tables(&mut connection).await?.contains_key("read") {
            return Ok(());
        }
        let found = read_tables(&mut connection).await?;
        drop(connection);
        match found {
            ReadTables::Fit { position } => self.present("read tables", format!("they have the events up to position {position}")),
            ReadTables::Empty { head } => {
                self.add("read tables", Mark::Rebuilt, format!("they are empty, and are built from {head} events"))
            }
            ReadTables::Differ { checkpoint, rows } => {
                let detail = format!("their checkpoint is {checkpoint}, and their rows end at {rows}: they are built again from the log");
                self.add("read tables", Mark::Rebuilt, detail);
            }
        }
        Ok(())
    }

    async fn check_copy(&mut self) -> Result<(), CheckError> {
        if identity::read(&mut *self.pool.acquire().await?).await?.is_new_copy {
            let detail = "this is a restored copy: the first server fills redis and elasticsearch anew, under names of their own";
            self.add("other stores", Mark::Rebuilt, detail);
        } else {
            self.present("other stores", "redis and elasticsearch belong to this database");
        }
        Ok(())
    }
}

/// The missing tables of a schema, as a list.
fn listed(missing: &MissingTables, schema: &str) -> Option<String> {
    missing.get(schema).map(|tables| tables.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
}
