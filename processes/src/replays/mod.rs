//! Replays, whoever asks for them: over HTTP they run beside the server's work, from the command line in a process of their own. The log says
//! who began one and what came of it; a table says how far it is, so that every node can show it, and cancel it.

mod plan;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use backon::Retryable;
use commands::{Asked, CommandError, Commands};
use domain::ids::UserId;
use domain::installation::{ReplayEnd, ReplayOutcome, ReplayStart};
use domain::{Context, InstallationCommand};
use projections::{RebuildError, RebuildOptions, RebuildProgress, RebuildReport, ReplayRun, Stores, Turn, ViewOf, runs};
use serde_json::json;
use stores::retry;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use plan::told;
pub use plan::{Plan, Scope};

/// How often it is written down how far a replay is, and whether somebody wants it cancelled is looked at.
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_millis(250);
/// How often replays are looked for whose processes have died, and projections whose versions are old.
const TEND_EVERY: Duration = Duration::from_secs(2);
/// When an upgrade that failed is tried again: each one is in the log.
const UPGRADE_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Why there is no view of the cache.
const OF_NOW: &str = "the cache cannot be built as of a moment: it is of now; build the relational projection, or the search";
/// Why there is no view of the search.
const NO_INDICES: &str =
    "searches are answered from the read tables here: build the relational projection as of then, whose tables have what a search finds";

/// Runs replays.
#[derive(Clone)]
pub struct Replays {
    stores: Stores,
    commands: Commands,
    /// Not the threads that answer requests: a replay works hard.
    runtime: Handle,
    holder: String,
    running: TaskTracker,
    shutdown: CancellationToken,
}

/// Why a replay did not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It cannot be begun.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// The log does not take it.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The table of replays cannot be written.
    #[error("the database cannot be used")]
    Database(#[from] sqlx::Error),
    /// The same request has begun one before.
    #[error("this request has begun a replay before")]
    Again,
    /// Only the relational model can be repaired.
    #[error("only the relational projection can be repaired for one workspace: the others follow it")]
    RelationalOnly,
    /// There is no model as of a moment of that projection here.
    #[error("{0}")]
    NoView(&'static str),
}

/// A replay that has begun: it has the turn.
pub struct Begun {
    turn: Turn,
    start: ReplayStart,
    plan: Plan,
    asked: Asked,
}

impl Replays {
    /// In those stores, by that process.
    #[must_use]
    pub fn new(stores: Stores, commands: Commands, runtime: Handle, holder: String) -> Self {
        Self { stores, commands, runtime, holder, running: TaskTracker::new(), shutdown: CancellationToken::new() }
    }

    /// Begins one: from now on nobody else does.
    ///
    /// # Errors
    /// There is no such projection, one is under way on whatever node, the asker may not, or a store cannot be used.
    pub async fn begin(&self, mut asked: Asked, projection: &str, plan: Plan) -> Result<Begun, StartError> {
        if projection == projections::SEARCH && self.stores.elastic.is_none() && matches!(plan.scope, Scope::View(_)) {
            return Err(StartError::NoView(NO_INDICES));
        }
        if !projections::can_be_replayed(&self.stores, projection) {
            return Err(RebuildError::Unknown(projection.into()).into());
        }
        match plan.scope {
            Scope::Workspace(_) if projection != projections::RELATIONAL => return Err(StartError::RelationalOnly),
            Scope::View(_) if projection == projections::CACHE => return Err(StartError::NoView(OF_NOW)),
            Scope::Whole | Scope::Upgrade(_) | Scope::Workspace(_) | Scope::View(_) => {}
        }
        // A view of the search is made from a relational one.
        let turn_of = if matches!(plan.scope, Scope::View(_)) { projections::RELATIONAL } else { projection };
        let turn = Turn::take(&self.stores.pool, turn_of).await?;
        let start = plan.start(projection);
        let appended = self.commands.installation(&asked, InstallationCommand::StartReplay(Box::new(start.clone()))).await?;
        if appended.replayed {
            return Err(StartError::Again);
        }
        runs::begin(&self.stores.pool, &start, &self.holder).await?;
        // What comes of it is caused by that.
        asked.context.causation_id = runs::event_at(&self.stores.pool, appended.position).await?;
        Ok(Begun { turn, start, plan, asked })
    }

    /// Begins one, and goes on with it behind the asker's back; then with those that follow it.
    ///
    /// # Errors
    /// As [`Replays::begin`].
    pub async fn start(&self, asked: Asked, projection: &str, following: Vec<&'static str>, plan: Plan) -> Result<ReplayRun, StartError> {
        let begun = match self.begin(asked.clone(), projection, plan.clone()).await {
            Err(StartError::Again) => return self.latest(projection).await,
            begun => begun?,
        };
        let replay_id = begun.start.replay_id;
        let this = self.clone();
        let work = async move {
            let mut outcome = this.run(begun, this.shutdown.child_token(), |_| {}).await;
            for projection in following {
                if outcome.is_err() || this.shutdown.is_cancelled() {
                    return;
                }
                outcome = match this.begin(Asked { idempotency: None, ..asked.clone() }, projection, plan.clone()).await {
                    Ok(begun) => this.run(begun, this.shutdown.child_token(), |_| {}).await,
                    Err(error) => return tracing::warn!(projection, %error, "a projection could not be replayed after another one"),
                };
            }
        };
        drop(self.running.spawn_on(work, &self.runtime));
        runs::find(&self.stores.pool, replay_id).await?.ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    async fn latest(&self, projection: &str) -> Result<ReplayRun, StartError> {
        let latest = runs::latest(&self.stores.pool, Some(projection), 1).await?.pop();
        latest.ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    /// Does what has begun, until it is done, or cancelled by the token or by whoever asks over HTTP.
    ///
    /// # Errors
    /// The live model stays: see [`RebuildError`].
    pub async fn run(
        &self,
        begun: Begun,
        cancel: CancellationToken,
        observe: impl Fn(RebuildProgress) + Send + Sync,
    ) -> Result<RebuildReport, RebuildError> {
        let Begun { turn, start, plan, asked } = begun;
        let latest = Arc::new(Mutex::new(None));
        let note = |progress| {
            *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
            observe(progress);
        };
        let outcome = {
            let work = self.work(turn, &start.projection, &plan, cancel.clone(), &note);
            let mut work = std::pin::pin!(work);
            loop {
                tokio::select! {
                    outcome = &mut work => break outcome,
                    () = tokio::time::sleep(SIGN_OF_LIFE_EVERY) => {}
                }
                let progress = *latest.lock().unwrap_or_else(PoisonError::into_inner);
                // Beside the work, which must not wait for it, nor it for the work.
                let sign = runs::moved(&self.stores.pool, start.replay_id, progress);
                tokio::select! {
                    outcome = &mut work => break outcome,
                    asked = sign => match asked {
                        Ok(true) => cancel.cancel(),
                        Ok(false) => {}
                        Err(error) => tracing::warn!(%error, "it could not be written down how far a replay is"),
                    },
                }
            }
        };
        let progress = *latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = runs::moved(&self.stores.pool, start.replay_id, progress).await {
            tracing::warn!(%error, "it could not be written down how far a replay is");
        }
        self.end(&asked, &start, &plan, &outcome).await;
        outcome
    }

    async fn work(
        &self,
        turn: Turn,
        projection: &str,
        plan: &Plan,
        cancel: CancellationToken,
        observe: &(impl Fn(RebuildProgress) + Send + Sync),
    ) -> Result<RebuildReport, RebuildError> {
        let options = RebuildOptions {
            accept_differences: plan.accept_differences,
            dry_run: plan.dry_run,
            skip_comparing: matches!(plan.scope, Scope::Upgrade(_)),
            cancel,
            ..RebuildOptions::default()
        };
        match &plan.scope {
            Scope::Whole | Scope::Upgrade(_) => projections::rebuild_in(turn, &self.stores, options, observe).await,
            Scope::Workspace(workspace_id) => projections::repair(turn, &self.stores, *workspace_id, options, observe).await,
            Scope::View(view) => {
                let of = if projection == projections::SEARCH { ViewOf::Search } else { ViewOf::Relational };
                projections::build_view(turn, &self.stores, view, of, options, observe).await
            }
        }
    }

    /// Says what came of it: in the table, and in the log.
    async fn end(&self, asked: &Asked, start: &ReplayStart, plan: &Plan, outcome: &Result<RebuildReport, RebuildError>) {
        let end = plan.end(start, outcome);
        let report = match outcome {
            Ok(report) => Some(told(report)),
            Err(RebuildError::Differs { position, differences }) => Some(json!({"compared_at": position, "differences": differences})),
            Err(_) => None,
        };
        match outcome {
            Ok(report) => tracing::info!(projection = start.projection, position = report.position, "a projection was replayed"),
            Err(error) => tracing::warn!(projection = start.projection, %error, "a projection was not replayed"),
        }
        if let Err(error) = runs::end(&self.stores.pool, start.replay_id, end.outcome, report, end.error.as_deref()).await {
            tracing::warn!(%error, "it could not be written down what came of a replay");
        }
        self.log(asked.context.actor, asked, InstallationCommand::EndReplay(Box::new(end))).await;
    }

    /// Writes into the log what has happened, which does not cease to be so when the log is away for a moment.
    async fn log(&self, actor: UserId, asked: &Asked, command: InstallationCommand) {
        let append = async || {
            // It is a command of its own: the key of the request was that of the beginning.
            let context = Context { actor, at: chrono::Utc::now(), ..asked.context.clone() };
            self.commands.installation(&Asked { context, idempotency: None }, command.clone()).await
        };
        let may_pass = |error: &CommandError| !matches!(error, CommandError::Refused(_));
        let warn = |error: &CommandError| tracing::warn!(%error, "it could not be logged how a replay ended");
        match append.retry(retry::REPLAY_END).when(may_pass).notify(|error, _| warn(error)).await {
            Ok(_) => {}
            Err(CommandError::Refused(refusal)) => tracing::warn!(%refusal, "the log does not take how a replay ended"),
            Err(error) => warn(&error),
        }
    }

    /// Until `shutdown`: tidies up behind replays whose processes have died, and builds anew what is of an older version than this release's.
    pub async fn tend(self, shutdown: CancellationToken) {
        let mut upgrade_at = Instant::now();
        loop {
            if let Err(error) = self.tidy().await {
                tracing::debug!(%error, "replays could not be tidied up behind; it is tried again");
            }
            if upgrade_at <= Instant::now()
                && let Err(error) = self.upgrade().await
            {
                tracing::warn!(%error, "a projection could not be brought to this release's version; it is tried again");
                upgrade_at = Instant::now() + UPGRADE_AGAIN_AFTER;
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(TEND_EVERY) => {}
            }
        }
    }

    /// Ends replays that give no sign of life, where nobody has their turn, and removes what they left.
    ///
    /// # Errors
    /// A store cannot be used.
    pub async fn tidy(&self) -> Result<(), StartError> {
        for (replay_id, projection) in runs::silent(&self.stores.pool).await? {
            if !projections::tidy(&self.stores, &projection).await? {
                continue;
            }
            runs::end(&self.stores.pool, replay_id, ReplayOutcome::CutOff, None, Some("its process died")).await?;
            tracing::warn!(projection, %replay_id, "a replay was cut off: what it left is removed");
            let end = ReplayEnd::of(replay_id, projection, ReplayOutcome::CutOff);
            self.log(UserId::SYSTEM, &by_the_server(None), InstallationCommand::EndReplay(Box::new(end))).await;
        }
        Ok(())
    }

    /// Builds anew what is of an older version than this release's. The old models serve meanwhile.
    ///
    /// # Errors
    /// A replay failed, or a store cannot be used.
    pub async fn upgrade(&self) -> Result<(), StartError> {
        for (projection, version) in projections::outdated(&self.stores).await? {
            tracing::info!(projection, version, "the live model is of an older version: it is built anew beside it");
            let plan = Plan { scope: Scope::Upgrade(version), dry_run: false, accept_differences: false };
            match self.begin(by_the_server(None), projection, plan).await {
                Ok(begun) => drop(self.run(begun, self.shutdown.child_token(), |_| {}).await?),
                // Another node is at it.
                Err(StartError::Rebuild(RebuildError::UnderWay(_))) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Cancels those of this process, and waits until they have tidied up behind themselves.
    pub async fn stop(&self) {
        self.shutdown.cancel();
        self.running.close();
        self.running.wait().await;
    }
}

/// What the server itself asks, or somebody at its command line, who is then named.
#[must_use]
pub fn by_the_server(user_agent: Option<String>) -> Asked {
    let context = Context { user_agent, ..Context::of(UserId::SYSTEM, chrono::Utc::now(), Uuid::now_v7()) };
    Asked { context, idempotency: None }
}
