//! Carries out erasures that are due.
//!
//! The erasure is one event. The person's keys are destroyed in the same transaction. So a process that dies before it
//! has erased nothing, and one that dies after it has erased everything in the log. Sessions, the password's hash and
//! what replays have kept are removed directly afterwards; if that fails, the next sweep removes them. Sign-ins and
//! commands are refused from the event on.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::Utc;
use commands::{Appended, CommandError, CommandRefusal, CommandRequest, Commands, ErasureCandidates};
use domain::ids::{EventId, UserId};
use domain::{Context, UserRefusal};
use identity::AuthError;
use identity::sessions::Sessions;
use projections::relational::affiliations::Affiliations;
use projections::{Connections, QueryError, RELATIONAL, ReadModels, RebuildError, WaitError};
use sqlx::{PgPool, query_scalar};
use state::StateError;
use state::credentials::Credentials;
use state::exports::ExportStore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often to look for erasures that are due.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How often to look for erased people that still have sessions, credentials or exports.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How long to wait after an erasure was refused, for example by a legal hold.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);
/// How long the read side may take to apply all events so far. It must know every workspace of the person.
const CATCH_UP_MAX: Duration = Duration::from_secs(5);

/// Why an erasure was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// It was refused, for example by a legal hold, or the log cannot be written.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The read side has not applied all events so far.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// The read tables cannot be read.
    #[error(transparent)]
    Read(#[from] QueryError),
    /// Sessions could not be ended.
    #[error(transparent)]
    Sessions(#[from] AuthError),
    /// The password's hash could not be removed.
    #[error(transparent)]
    Credentials(#[from] StateError),
    /// The data that replays kept could not be removed.
    #[error(transparent)]
    Replays(#[from] RebuildError),
}

/// Carries out erasures. Clones share everything.
#[derive(Clone)]
pub struct Erasures {
    /// Postgres.
    pub pool: PgPool,
    /// The write side.
    pub commands: Commands,
    /// The read side.
    pub read_models: ReadModels,
    /// The connections of the read side.
    pub stores: Connections,
    /// The sessions.
    pub sessions: Sessions,
    /// The stored hashes of passwords.
    pub credentials: Credentials,
    /// The exports of people's data.
    pub exports: ExportStore,
}

impl Erasures {
    /// Carries out due erasures until `shutdown`. One process of all nodes does it at a time.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut process = Process { erasures: self, refused: HashMap::new(), swept_at: None };
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(CHECK_EVERY) => {}
            }
            if let Err(error) = process.carry_out_due().await {
                tracing::debug!(%error, "the due erasures cannot be read; it will be tried again");
            }
        }
    }

    /// Returns the memberships and invitations of a user, after the read side has applied all events so far.
    ///
    /// # Errors
    /// The read side did not get there in time, or a store failed.
    pub async fn affiliations(&self, user_id: UserId) -> Result<Affiliations, ErasureError> {
        let head = self.commands.store().catch_up().await.map_err(CommandError::from)?;
        self.stores.progress.wait_for(RELATIONAL, head, CATCH_UP_MAX).await?;
        let user = self.commands.user_state(user_id).await?;
        let email = user.registration.as_ref().map_or("", |registration| registration.email.as_str());
        Ok(self.read_models.affiliations(user_id, email).await?)
    }

    /// Erases a user whose erasure is due.
    ///
    /// # Errors
    /// The erasure was refused, for example by a legal hold, or a store failed.
    pub async fn carry_out(&self, user_id: UserId) -> Result<Appended, ErasureError> {
        let Affiliations { workspaces, invitations } = self.affiliations(user_id).await?;
        let causation_id = requested(&self.pool, user_id).await.map_err(QueryError)?;
        let context = Context { causation_id, ..Context::of(UserId::SYSTEM, Utc::now(), Uuid::now_v7()) };
        let asked = CommandRequest { context, idempotency: None, unchanged_since: None };
        let operators = self.read_models.operators().await?;
        let candidates = ErasureCandidates { workspaces: &workspaces, operators: &operators };
        let erased = match self.commands.erase(&asked, user_id, candidates, &invitations).await {
            Ok(erased) => erased,
            Err(refused) => {
                self.withdraw_if_nobody_asks(&asked, user_id, &refused).await?;
                return Err(refused.into());
            }
        };
        tracing::info!(user.id = %user_id, position = erased.position, "a user was erased");
        // Commands of the user are already refused. The sweep ends the remaining sessions.
        if let Err(error) = self.sign_out(user_id).await {
            tracing::warn!(user.id = %user_id, %error, "the sessions of an erased user are not all ended yet");
        }
        if let Err(error) = projections::remove_kept_of_erased(&self.stores).await {
            tracing::warn!(user.id = %user_id, %error, "the data of an erased user in replays is not removed yet");
        }
        Ok(erased)
    }

    /// Cancels the erasure if no user who may request it requests it any more. The log has the cancellation.
    async fn withdraw_if_nobody_asks(&self, asked: &CommandRequest, user_id: UserId, refused: &CommandError) -> Result<(), ErasureError> {
        if let CommandError::Refused(CommandRefusal::User(UserRefusal::ErasureNoLongerAsked)) = refused {
            self.commands.withdraw_erasure(asked, user_id).await?;
        }
        Ok(())
    }

    /// Ends all sessions, and removes the password and the exports. A session contains the address and the client that began it.
    async fn sign_out(&self, user_id: UserId) -> Result<(), ErasureError> {
        self.credentials.remove(user_id).await?;
        self.exports.remove_of(user_id).await?;
        self.sessions.end_all(user_id).await?;
        // The cache asks Redis for this too, but perhaps before the sessions were removed. Nothing waits for it.
        let redis = self.stores.redis.clone();
        tokio::spawn(async move { redis.rewrite_files().await });
        Ok(())
    }
}

struct Process {
    erasures: Erasures,
    refused: HashMap<UserId, Instant>,
    swept_at: Option<Instant>,
}

impl Process {
    async fn carry_out_due(&mut self) -> Result<(), ErasureError> {
        let mut tx = self.erasures.pool.begin().await.map_err(QueryError)?;
        let alone = query_scalar!(r#"SELECT pg_try_advisory_xact_lock(hashtextextended('backscroll erasures', 0)) AS "alone!""#);
        if !alone.fetch_one(&mut *tx).await.map_err(QueryError)? {
            return Ok(());
        }
        self.refused.retain(|_, at| at.elapsed() < REFUSED_PAUSE);
        for user_id in self.erasures.read_models.erasures_due(Utc::now()).await? {
            if self.refused.contains_key(&user_id) {
                continue;
            }
            if let Err(error) = self.erasures.carry_out(user_id).await {
                tracing::warn!(user.id = %user_id, %error, "a due erasure could not be carried out");
                self.refused.insert(user_id, Instant::now());
            }
        }
        if self.swept_at.is_none_or(|at| at.elapsed() >= SWEEP_EVERY) {
            for user_id in self.erasures.read_models.erasures_unfinished().await? {
                self.erasures.sign_out(user_id).await?;
            }
            projections::remove_kept_of_erased(&self.erasures.stores).await?;
            self.swept_at = Some(Instant::now());
        }
        Ok(())
    }
}

/// The event that asked for the erasure.
async fn requested(pool: &PgPool, user_id: UserId) -> sqlx::Result<Option<EventId>> {
    let found = query_scalar!(
        "SELECT event_id FROM events
         WHERE aggregate_type = 'user' AND aggregate_id = $1 AND event_type = 'user.erasure_requested'
         ORDER BY sequence DESC LIMIT 1",
        user_id.0.to_string()
    );
    Ok(found.fetch_optional(pool).await?.map(EventId))
}
