//! Runs replays. Over HTTP they run beside the server's other work; from the command line they run in a process of
//! their own. The log records who began a replay and how it ended. A table holds its progress, so that every node can
//! show it and cancel it.

mod plan;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use backon::Retryable;
use commands::{CommandError, CommandRequest, Commands};
use domain::ids::UserId;
use domain::installation::{ReplayEnd, ReplayOutcome, ReplayStart};
use domain::{Context, InstallationCommand};
use projections::{Connections, RebuildError, RebuildLock, RebuildOptions, RebuildProgress, RebuildReport, ReplayRun, ViewModels, runs};
use serde_json::json;
use stores::retry;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use plan::report_json;
pub use plan::{Plan, Scope};

/// How often progress is written and cancellation is checked.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// How often to look for replays whose processes have died, and for projections with an old version.
const UPKEEP_EVERY: Duration = Duration::from_secs(2);
/// How long to wait before a failed upgrade is tried again: each try is recorded in the log.
const UPGRADE_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Why the cache has no views.
const CACHE_HAS_NO_VIEWS: &str = "the cache cannot be built as of a moment: it is of now; build the relational projection, or the search";
/// Why the search has no view here.
const SEARCH_HAS_NO_VIEWS: &str =
    "searches are answered from the read tables here: build the relational projection as of then, whose tables have what a search finds";

/// Runs replays.
#[derive(Clone)]
pub struct Replays {
    stores: Connections,
    commands: Commands,
    /// Not the runtime of the request threads: a replay needs much CPU time.
    runtime: Handle,
    holder: String,
    running: TaskTracker,
    shutdown: CancellationToken,
}

/// Why a replay did not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The rebuild cannot begin.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// The command was refused, or the log cannot be written.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The table of replays cannot be written.
    #[error("the database cannot be used")]
    Database(#[from] sqlx::Error),
    /// The same request has already begun a replay.
    #[error("this request has already begun a replay")]
    Again,
    /// Only the relational model can be repaired.
    #[error("only the relational projection can be repaired for one workspace: the others follow it")]
    RelationalOnly,
    /// This projection cannot be built as of a moment here.
    #[error("{0}")]
    NoView(&'static str),
}

/// A replay that has begun. It holds the rebuild lock.
pub struct Begun {
    lock: RebuildLock,
    start: ReplayStart,
    plan: Plan,
    asked: CommandRequest,
}

impl Replays {
    /// Runs replays through these connections. `holder` names this process.
    #[must_use]
    pub fn new(stores: Connections, commands: Commands, runtime: Handle, holder: String) -> Self {
        Self { stores, commands, runtime, holder, running: TaskTracker::new(), shutdown: CancellationToken::new() }
    }

    /// Begins a replay and takes its lock, so that no other replay of the projection can begin.
    ///
    /// # Errors
    /// There is no such projection, a replay of it is running on any node, the caller lacks the right, or a store
    /// cannot be used.
    pub async fn begin(&self, mut asked: CommandRequest, projection: &str, plan: Plan) -> Result<Begun, StartError> {
        if projection == projections::SEARCH && self.stores.elastic.is_none() && matches!(plan.scope, Scope::View(_)) {
            return Err(StartError::NoView(SEARCH_HAS_NO_VIEWS));
        }
        if !projections::can_be_replayed(&self.stores, projection) {
            return Err(RebuildError::Unknown(projection.into()).into());
        }
        match plan.scope {
            Scope::Workspace(_) if projection != projections::RELATIONAL => return Err(StartError::RelationalOnly),
            Scope::View(_) if projection == projections::CACHE => return Err(StartError::NoView(CACHE_HAS_NO_VIEWS)),
            Scope::Whole | Scope::Upgrade(_) | Scope::Workspace(_) | Scope::View(_) => {}
        }
        // A search view is made from a relational one.
        let lock_of = if matches!(plan.scope, Scope::View(_)) { projections::RELATIONAL } else { projection };
        let lock = RebuildLock::acquire(&self.stores.pool, lock_of).await?;
        let start = plan.start(projection);
        let appended = self.commands.installation(&asked, InstallationCommand::StartReplay(Box::new(start.clone()))).await?;
        if appended.replayed {
            return Err(StartError::Again);
        }
        runs::begin(&self.stores.pool, &start, &self.holder).await?;
        // Its later events are caused by the event of the beginning.
        asked.context.causation_id = runs::event_at(&self.stores.pool, appended.position).await?;
        Ok(Begun { lock, start, plan, asked })
    }

    /// Begins a replay and continues it in the background. Afterwards it replays the projections in `following`.
    ///
    /// # Errors
    /// As [`Replays::begin`].
    pub async fn start(
        &self,
        asked: CommandRequest,
        projection: &str,
        following: Vec<&'static str>,
        plan: Plan,
    ) -> Result<ReplayRun, StartError> {
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
                outcome = match this.begin(CommandRequest { idempotency: None, ..asked.clone() }, projection, plan.clone()).await {
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

    /// Runs a replay to its end, or until the token or an HTTP request cancels it.
    ///
    /// # Errors
    /// The live model stays. See [`RebuildError`].
    pub async fn run(
        &self,
        begun: Begun,
        cancel: CancellationToken,
        observe: impl Fn(RebuildProgress) + Send + Sync,
    ) -> Result<RebuildReport, RebuildError> {
        let Begun { lock, start, plan, asked } = begun;
        let latest = Arc::new(Mutex::new(None));
        let note = |progress| {
            *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
            observe(progress);
        };
        let outcome = {
            let work = self.work(lock, &start.projection, &plan, cancel.clone(), &note);
            let mut work = std::pin::pin!(work);
            loop {
                tokio::select! {
                    outcome = &mut work => break outcome,
                    () = tokio::time::sleep(PROGRESS_EVERY) => {}
                }
                let progress = *latest.lock().unwrap_or_else(PoisonError::into_inner);
                // Written in parallel with the work: neither waits for the other.
                let sign = runs::record_progress(&self.stores.pool, start.replay_id, progress);
                tokio::select! {
                    outcome = &mut work => break outcome,
                    asked = sign => match asked {
                        Ok(true) => cancel.cancel(),
                        Ok(false) => {}
                        Err(error) => tracing::warn!(%error, "the progress of a replay could not be written"),
                    },
                }
            }
        };
        let progress = *latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = runs::record_progress(&self.stores.pool, start.replay_id, progress).await {
            tracing::warn!(%error, "the progress of a replay could not be written");
        }
        self.end(&asked, &start, &plan, &outcome).await;
        outcome
    }

    async fn work(
        &self,
        lock: RebuildLock,
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
            Scope::Whole | Scope::Upgrade(_) => projections::rebuild_in(lock, &self.stores, options, observe).await,
            Scope::Workspace(workspace_id) => projections::repair(lock, &self.stores, *workspace_id, options, observe).await,
            Scope::View(view) => {
                let of = if projection == projections::SEARCH { ViewModels::Search } else { ViewModels::Relational };
                projections::build_view(lock, &self.stores, view, of, options, observe).await
            }
        }
    }

    /// Writes the outcome into the table and into the log.
    async fn end(&self, asked: &CommandRequest, start: &ReplayStart, plan: &Plan, outcome: &Result<RebuildReport, RebuildError>) {
        let end = plan.end(start, outcome);
        let report = match outcome {
            Ok(report) => Some(report_json(report)),
            Err(RebuildError::Differs { position, differences }) => Some(json!({"compared_at": position, "differences": differences})),
            Err(_) => None,
        };
        match outcome {
            Ok(report) => tracing::info!(projection = start.projection, position = report.position, "a projection was replayed"),
            Err(error) => tracing::warn!(projection = start.projection, %error, "a projection was not replayed"),
        }
        if let Err(error) = runs::end(&self.stores.pool, start.replay_id, end.outcome, report, end.error.as_deref()).await {
            tracing::warn!(%error, "the outcome of a replay could not be written");
        }
        self.log(asked.context.actor, asked, InstallationCommand::EndReplay(Box::new(end))).await;
    }

    /// Writes an event about a replay into the log. If the log cannot be written at the moment, it is tried again.
    async fn log(&self, actor: UserId, asked: &CommandRequest, command: InstallationCommand) {
        let append = async || {
            // It is a command of its own: the request's idempotency key belongs to the beginning.
            let context = Context { actor, at: chrono::Utc::now(), ..asked.context.clone() };
            self.commands.installation(&CommandRequest { context, idempotency: None, unchanged_since: None }, command.clone()).await
        };
        let may_pass = |error: &CommandError| !matches!(error, CommandError::Refused(_));
        let warn = |error: &CommandError| tracing::warn!(%error, "the end of a replay could not be recorded in the log");
        match append.retry(retry::REPLAY_END).when(may_pass).notify(|error, _| warn(error)).await {
            Ok(_) => {}
            Err(CommandError::Refused(refusal)) => tracing::warn!(%refusal, "the end of a replay was refused"),
            Err(error) => warn(&error),
        }
    }

    /// Runs until `shutdown`: cleans up after replays whose processes have died, and rebuilds projections with an older
    /// version than this release's.
    pub async fn run_upkeep(self, shutdown: CancellationToken) {
        let mut upgrade_at = Instant::now();
        loop {
            if let Err(error) = self.tidy().await {
                tracing::debug!(%error, "dead replays could not be cleaned up; it will be tried again");
            }
            if upgrade_at <= Instant::now()
                && let Err(error) = self.upgrade().await
            {
                tracing::warn!(%error, "a projection could not be upgraded to this release's version; it will be tried again");
                upgrade_at = Instant::now() + UPGRADE_AGAIN_AFTER;
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(UPKEEP_EVERY) => {}
            }
        }
    }

    /// Ends replays that are silent and whose lock is free, and removes what they have left.
    ///
    /// # Errors
    /// A store cannot be used.
    pub async fn tidy(&self) -> Result<(), StartError> {
        for (replay_id, projection) in runs::unresponsive(&self.stores.pool).await? {
            if !projections::tidy(&self.stores, &projection).await? {
                continue;
            }
            runs::end(&self.stores.pool, replay_id, ReplayOutcome::CutOff, None, Some("its process died")).await?;
            tracing::warn!(projection, %replay_id, "a replay was cut off; its remains were removed");
            let end = ReplayEnd::of(replay_id, projection, ReplayOutcome::CutOff);
            self.log(UserId::SYSTEM, &by_the_server(None), InstallationCommand::EndReplay(Box::new(end))).await;
        }
        Ok(())
    }

    /// Rebuilds projections that have an older version than this release's. The old models serve meanwhile.
    ///
    /// # Errors
    /// A replay failed, or a store cannot be used.
    pub async fn upgrade(&self) -> Result<(), StartError> {
        for (projection, version) in projections::outdated(&self.stores).await? {
            tracing::info!(projection, version, "the live model has an older version; a new one is built beside it");
            let plan = Plan { scope: Scope::Upgrade(version), dry_run: false, accept_differences: false };
            match self.begin(by_the_server(None), projection, plan).await {
                Ok(begun) => drop(self.run(begun, self.shutdown.child_token(), |_| {}).await?),
                // Another node is already doing it.
                Err(StartError::Rebuild(RebuildError::UnderWay(_))) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Cancels the replays of this process, and waits until they have cleaned up.
    pub async fn stop(&self) {
        self.shutdown.cancel();
        self.running.close();
        self.running.wait().await;
    }
}

/// The request of the server itself. A command line passes its name as `user_agent`.
#[must_use]
pub fn by_the_server(user_agent: Option<String>) -> CommandRequest {
    let context = Context { user_agent, ..Context::of(UserId::SYSTEM, chrono::Utc::now(), Uuid::now_v7()) };
    CommandRequest { context, idempotency: None, unchanged_since: None }
}
