//! Carrying out erasures that are due.
//!
//! The erasure is one event, and the person's keys go with it, in one transaction: whoever dies before has erased nobody, whoever dies after
//! has erased them whole. What follows from it (sessions, the password's hash, what replays kept) is removed at once, and otherwise by whoever
//! looks next;
//! sign-ins and commands are refused from the event on.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::Utc;
use commands::{Appended, Around, Asked, CommandError, CommandRefusal, Commands};
use domain::ids::{EventId, UserId};
use domain::{Context, UserRefusal};
use identity::AuthError;
use identity::sessions::Sessions;
use projections::relational::traces::Traces;
use projections::{Behind, QueryError, RELATIONAL, ReadModels, RebuildError, Stores};
use sqlx::{PgPool, query_scalar};
use state::StateError;
use state::credentials::Credentials;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often is looked for erasures that have become due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often is looked for people who were erased and of whose sign-ins something is left.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How long an erasure that is refused, as by a legal hold, is left alone.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);
/// How long the read side may take to know everything that had happened, so that no workspace is overlooked.
const CATCH_UP_MAX: Duration = Duration::from_secs(5);

/// Why an erasure was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// It is refused, such as by a legal hold, or the log cannot be written.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The read side does not know yet everything that has happened.
    #[error(transparent)]
    Behind(#[from] Behind),
    /// The read tables cannot be read.
    #[error(transparent)]
    Read(#[from] QueryError),
    /// Sessions could not be ended.
    #[error(transparent)]
    Sessions(#[from] AuthError),
    /// The password's hash could not be removed.
    #[error(transparent)]
    Credentials(#[from] StateError),
    /// What replays kept could not be removed.
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
    /// What the read side is kept in.
    pub stores: Stores,
    /// Who is signed in.
    pub sessions: Sessions,
    /// The stored hashes of passwords.
    pub credentials: Credentials,
}

impl Erasures {
    /// Carries out erasures that are due until `shutdown`. Of all processes, one does at a time.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut process = Process { erasures: self, refused: HashMap::new(), swept_at: None };
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            if let Err(error) = process.look().await {
                tracing::debug!(%error, "erasures that are due cannot be looked for; it is tried again");
            }
        }
    }

    /// Where a user is or was, once the read side knows everything that has happened up to now.
    ///
    /// # Errors
    /// The read side is behind, or a store failed.
    pub async fn traces(&self, user_id: UserId) -> Result<Traces, ErasureError> {
        let head = self.commands.store().catch_up().await.map_err(CommandError::from)?;
        self.stores.progress.wait_for(RELATIONAL, head, CATCH_UP_MAX).await?;
        let user = self.commands.user_state(user_id).await?;
        let email = user.registration.as_ref().map_or("", |registration| registration.email.as_str());
        Ok(self.read_models.traces(user_id, email).await?)
    }

    /// Erases a user whose erasure is due.
    ///
    /// # Errors
    /// The refusal, such as a legal hold's; or a store failed.
    pub async fn carry_out(&self, user_id: UserId) -> Result<Appended, ErasureError> {
        let Traces { workspaces, invitations } = self.traces(user_id).await?;
        let causation_id = requested(&self.pool, user_id).await.map_err(QueryError)?;
        let context = Context { causation_id, ..Context::of(UserId::SYSTEM, Utc::now(), Uuid::now_v7()) };
        let asked = Asked { context, idempotency: None };
        let operators = self.read_models.operators().await?;
        let around = Around { workspaces: &workspaces, operators: &operators };
        let erased = match self.commands.erase(&asked, user_id, around, &invitations).await {
            Ok(erased) => erased,
            Err(refused) => {
                self.withdraw_if_nobody_asks(&asked, user_id, &refused).await?;
                return Err(refused.into());
            }
        };
        tracing::info!(user.id = %user_id, position = erased.position, "a user was erased");
        // Nothing is accepted from them any more; the sweep ends what is left.
        if let Err(error) = self.sign_out(user_id).await {
            tracing::warn!(user.id = %user_id, %error, "the sessions of an erased user are not all ended yet");
        }
        if let Err(error) = projections::forget_the_erased(&self.stores).await {
            tracing::warn!(user.id = %user_id, %error, "what replays kept of an erased user is not removed yet");
        }
        Ok(erased)
    }

    /// Nobody who may ask for the erasure asks any more: it is cancelled, and the log says so.
    async fn withdraw_if_nobody_asks(&self, asked: &Asked, user_id: UserId, refused: &CommandError) -> Result<(), ErasureError> {
        if let CommandError::Refused(CommandRefusal::User(UserRefusal::ErasureNoLongerAsked)) = refused {
            self.commands.withdraw_erasure(asked, user_id).await?;
        }
        Ok(())
    }

    /// Ends all sessions, and forgets the password. In a session stands from where it was begun, and with what.
    async fn sign_out(&self, user_id: UserId) -> Result<(), ErasureError> {
        self.credentials.remove(user_id).await?;
        self.sessions.end_all(user_id).await?;
        // The cache has asked for it too, perhaps while the sessions were there still. Nobody waits for it.
        let redis = self.stores.redis.clone();
        tokio::spawn(async move { redis.write_files_anew().await });
        Ok(())
    }
}

struct Process {
    erasures: Erasures,
    refused: HashMap<UserId, Instant>,
    swept_at: Option<Instant>,
}

impl Process {
    async fn look(&mut self) -> Result<(), ErasureError> {
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
                tracing::warn!(user.id = %user_id, %error, "an erasure that is due is not carried out now");
                self.refused.insert(user_id, Instant::now());
            }
        }
        if self.swept_at.is_none_or(|at| at.elapsed() >= SWEEP_EVERY) {
            for user_id in self.erasures.read_models.erasures_unfinished().await? {
                self.erasures.sign_out(user_id).await?;
            }
            projections::forget_the_erased(&self.erasures.stores).await?;
            self.swept_at = Some(Instant::now());
        }
        Ok(())
    }
}

/// The event that asked for it.
async fn requested(pool: &PgPool, user_id: UserId) -> sqlx::Result<Option<EventId>> {
    let found = query_scalar!(
        "SELECT event_id FROM events
         WHERE aggregate_type = 'user' AND aggregate_id = $1 AND event_type = 'user.erasure_requested'
         ORDER BY sequence DESC LIMIT 1",
        user_id.0.to_string()
    );
    Ok(found.fetch_optional(pool).await?.map(EventId))
}
