//! Retention finds due messages in the read tables and gives them to the write side, which checks them against the log.
//! It works in small steps of one append each: if a run breaks off, its finished steps stay, and the next run does the
//! rest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use commands::{CommandError, CommandRequest, Commands};
use domain::ids::{ChannelId, EventId, HoldId, WorkspaceId};
use domain::retention::RetentionCandidates;
use domain::workspace::{HoldTarget, covering_channel};
use domain::{Refusal, StreamId, Workspace};
use projections::relational::retention::{Due, DueCount, RetentionChannel};
use projections::{Progress, QueryError, RELATIONAL, ReadModels, WaitError};
use serde::Serialize;
use sqlx::{PgPool, query_scalar};
use tokio::runtime::Handle;
use tracing::{info, warn};
use utoipa::ToSchema;

use super::cursor::{self, LastRun, ProcessLock};
use super::replays::by_the_server;

/// The process's name, in `process_cursors` and in its lock.
pub(crate) const PROCESS: &str = "retention";

/// The value of `policy_of` for a channel's own policy.
const OF_CHANNEL: &str = "channel";
/// How many threads are read at once.
const PAGE_THREADS: u32 = 10_000;
/// The least number of messages of one append. A thread is never split.
const STEP_MESSAGES: usize = 500;
/// How long a request for a run waits for the read tables. It is as long as a query waits.
const REQUEST_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long a run that nobody waits for waits for the read tables.
const RUN_WAIT_MAX: Duration = Duration::from_secs(60);

/// Finds due messages, and archives or purges them. Clones share everything.
#[derive(Clone)]
pub struct Retention {
    commands: Commands,
    read: ReadModels,
    progress: Progress,
    pub(super) pool: PgPool,
    /// Not the runtime of the request threads: a run may take long.
    runtime: Handle,
    runs: Arc<RunCounts>,
    /// Who called this process, if it is a command line.
    called_by: Option<String>,
}

/// Counts of the runs of this process.
#[derive(Debug, Default)]
pub struct RunCounts {
    /// Runs that came to their end.
    pub done: AtomicU64,
    /// Runs that broke off.
    pub failed: AtomicU64,
}

impl RunCounts {
    fn count<T>(&self, outcome: &Result<T, RunError>) {
        match outcome {
            Ok(_) => self.done.fetch_add(1, Ordering::Relaxed),
            // Another node, or another request, runs it.
            Err(RunError::UnderWay) => 0,
            Err(_) => self.failed.fetch_add(1, Ordering::Relaxed),
        };
    }
}

/// Why retention did not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A run is in progress, here or on another node.
    #[error("a retention run is in progress: wait until it is done")]
    UnderWay,
    /// The read tables have not applied all events so far.
    #[error(transparent)]
    Behind(#[from] WaitError),
    /// The read tables cannot be read.
    #[error("the read tables cannot be read")]
    Read(#[from] QueryError),
    /// The database cannot be used.
    #[error("the database cannot be used")]
    Database(#[from] sqlx::Error),
    /// The write side failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// The result of a run for one channel, or of a preview.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ChannelRetention {
    /// The channel.
    #[schema(value_type = Uuid)]
    pub channel_id: ChannelId,
    /// The workspace.
    #[schema(value_type = Uuid)]
    pub workspace_id: WorkspaceId,
    /// Its name, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many days messages are kept.
    pub days: u32,
    /// `archive` or `purge`.
    #[schema(example = "archive")]
    pub action: &'static str,
    /// Whether pinned messages stay, with their threads.
    pub keep_pinned: bool,
    /// The owner of the policy: `channel` or `workspace`.
    #[schema(example = "workspace")]
    pub policy_of: &'static str,
    /// Messages that were sent before this time are old enough.
    #[serde(serialize_with = "domain::timestamp::serialize")]
    pub cut_off: DateTime<Utc>,
    /// The number of messages that leave the channel.
    pub messages: i64,
    /// When the oldest of them was sent.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "domain::timestamp::serialize_option")]
    pub oldest: Option<DateTime<Utc>>,
    /// The number of messages that are old enough, but stay because of legal holds.
    pub held: i64,
    /// These legal holds.
    #[schema(value_type = Vec<Uuid>)]
    pub holds: Vec<HoldId>,
}

/// The result of a run or a preview: the channels with a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct RetentionReport {
    /// The channels.
    pub channels: Vec<ChannelRetention>,
}

impl RetentionReport {
    /// The number of messages that leave, of all channels.
    #[must_use]
    pub fn messages(&self) -> i64 {
        self.channels.iter().map(|channel| channel.messages).sum()
    }

    /// The number of messages that stay because of legal holds, of all channels.
    #[must_use]
    pub fn held(&self) -> i64 {
        self.channels.iter().map(|channel| channel.held).sum()
    }
}

/// A channel with its policy and its legal holds at one moment.
struct ChannelPlan {
    due: Due,
    /// Legal holds on the whole channel.
    on_channel: Vec<HoldId>,
    /// Legal holds on people.
    on_people: Vec<HoldId>,
    shown: ChannelRetention,
}

impl Retention {
    /// Retention with these parts.
    #[must_use]
    pub fn new(commands: Commands, read: ReadModels, progress: Progress, pool: PgPool, runtime: Handle) -> Self {
        Self { commands, read, progress, pool, runtime, runs: Arc::default(), called_by: None }
    }

    /// The same, called by a command line, whose name the audit shows.
    #[must_use]
    pub fn called_by(self, asked: CommandRequest) -> Self {
        Self { called_by: asked.context.user_agent, ..self }
    }

    /// Counts of the runs of this process.
    #[must_use]
    pub fn runs(&self) -> &RunCounts {
        &self.runs
    }

    /// Returns the last run for all workspaces that came to its end, on whichever node.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn last_run(&self) -> Result<Option<LastRun>, RunError> {
        Ok(cursor::last_run(&self.pool, PROCESS).await?)
    }

    /// Returns what a run would do now, in one workspace or in all.
    ///
    /// # Errors
    /// A database cannot be used.
    pub async fn preview(&self, workspace_id: Option<WorkspaceId>) -> Result<RetentionReport, RunError> {
        let mut report = RetentionReport::default();
        for plan in self.plans(workspace_id).await? {
            let count = self.read.count_due(&plan.due).await?;
            report.channels.push(plan.report(count));
        }
        Ok(report)
    }

    /// Archives or purges all due messages, in one workspace or in all. One run at a time, over all nodes.
    ///
    /// # Errors
    /// A run is in progress, the read tables are too far behind the log, or a database cannot be used. Finished steps
    /// stay.
    pub async fn run(&self, workspace_id: Option<WorkspaceId>) -> Result<RetentionReport, RunError> {
        let outcome = self.run_now(workspace_id).await;
        self.runs.count(&outcome);
        outcome
    }

    async fn run_now(&self, workspace_id: Option<WorkspaceId>) -> Result<RetentionReport, RunError> {
        let lock = ProcessLock::acquire(&self.pool, PROCESS).await?.ok_or(RunError::UnderWay)?;
        self.wait_for_acknowledged(RUN_WAIT_MAX).await?;
        self.run_in(lock, workspace_id).await
    }

    /// Begins a run in a workspace, and returns without waiting for its end.
    ///
    /// # Errors
    /// A run is in progress, the read tables are too far behind the log, or the database cannot be used.
    pub async fn start(&self, workspace_id: WorkspaceId) -> Result<(), RunError> {
        let lock = ProcessLock::acquire(&self.pool, PROCESS).await?.ok_or(RunError::UnderWay)?;
        self.wait_for_acknowledged(REQUEST_WAIT_MAX).await?;
        let retention = self.clone();
        drop(self.runtime.spawn(async move {
            let outcome = retention.run_in(lock, Some(workspace_id)).await;
            retention.runs.count(&outcome);
            if let Err(error) = outcome {
                warn!(%error, workspace.id = %workspace_id, "a retention run that was asked for failed");
            }
        }));
        Ok(())
    }

    /// Waits until the read tables have every event that was acknowledged before this call: a run finds policies and due
    /// messages there. Otherwise a run right after a change of the policy would apply the policy before.
    async fn wait_for_acknowledged(&self, limit: Duration) -> Result<(), RunError> {
        let head = self.commands.store().catch_up().await.map_err(CommandError::from)?;
        self.progress.wait_for(RELATIONAL, head, limit).await?;
        Ok(())
    }

    async fn run_in(&self, mut lock: ProcessLock, workspace_id: Option<WorkspaceId>) -> Result<RetentionReport, RunError> {
        let began = Utc::now();
        let mut report = RetentionReport::default();
        for plan in self.plans(workspace_id).await? {
            let channel_id = plan.due.channel_id;
            let count = self.read.count_due(&plan.due).await?;
            let mut shown = plan.report(count);
            if plan.on_channel.is_empty() && count.messages > 0 {
                let cause = self.policy_set_by(&plan).await?;
                shown.messages = self.remove_due(&plan.due, cause).await?;
                info!(channel.id = %channel_id, messages = shown.messages, action = shown.action, "messages left their channel");
            }
            report.channels.push(shown);
        }
        if workspace_id.is_none() {
            lock.finished(began).await?;
        }
        Ok(report)
    }

    async fn plans(&self, workspace_id: Option<WorkspaceId>) -> Result<Vec<ChannelPlan>, RunError> {
        let now = Utc::now();
        let mut workspaces = BTreeMap::<WorkspaceId, Arc<Workspace>>::new();
        let mut plans = Vec::new();
        for channel in self.read.retention_channels(workspace_id).await? {
            let Some(cut_off) = channel.policy.cut_off(now) else { continue };
            if let std::collections::btree_map::Entry::Vacant(unknown) = workspaces.entry(channel.workspace_id) {
                unknown.insert(self.commands.workspace_state(channel.workspace_id).await?);
            }
            if let Some(workspace) = workspaces.get(&channel.workspace_id) {
                plans.push(plan_of(channel, cut_off, workspace));
            }
        }
        Ok(plans)
    }

    /// The event that set the present policy. It is the cause of the archival or purge.
    async fn policy_set_by(&self, plan: &ChannelPlan) -> Result<Option<EventId>, RunError> {
        let stream = match plan.shown.policy_of {
            OF_CHANNEL => StreamId::channel(plan.due.channel_id),
            _ => StreamId::workspace(plan.shown.workspace_id),
        };
        let event_type = format!("{}.settings_changed", stream.aggregate.as_str());
        let set = query_scalar!(
            r#"SELECT event_id FROM (
                   SELECT event_id, sequence, policy, lag(policy) OVER (ORDER BY sequence) AS before
                   FROM (SELECT event_id, sequence, (payload -> event_type -> 'retention_policy')::jsonb AS policy FROM events
                         WHERE aggregate_type = $1 AND aggregate_id = $2 AND event_type = $3) AS said
               ) AS set
               WHERE policy IS DISTINCT FROM before ORDER BY sequence DESC LIMIT 1"#,
            stream.aggregate.as_str(),
            stream.id.to_string(),
            event_type,
        );
        Ok(set.fetch_optional(&self.pool).await?.map(EventId))
    }

    /// Does it step by step, and returns the number of messages that left.
    async fn remove_due(&self, due: &Due, causation_id: Option<EventId>) -> Result<i64, RunError> {
        let (mut left, mut after) = (0, None);
        loop {
            let page = self.read.due_threads(due, after, PAGE_THREADS).await?;
            for cut in steps(page.cut) {
                let mut asked = by_the_server(self.called_by.clone());
                asked.context.causation_id = causation_id;
                match self.commands.apply_retention(&asked, cut, page.read_at).await {
                    Ok(done) => left += i64::try_from(done.messages).unwrap_or(0),
                    // The policy or a legal hold has changed meanwhile: this channel is left as it is now.
                    Err(CommandError::Refused(refusal)) => {
                        warn!(channel.id = %due.channel_id, code = refusal.code(), "retention stops in a channel: {refusal}");
                        return Ok(left);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(left);
            }
        }
    }
}

/// Splits the messages into steps.
fn steps(cut: RetentionCandidates) -> Vec<RetentionCandidates> {
    let RetentionCandidates { channel_id, cut_off, threads: all } = cut;
    let mut steps = Vec::new();
    let (mut threads, mut messages) = (Vec::new(), 0);
    for thread in all {
        messages += thread.len();
        threads.push(thread);
        if messages >= STEP_MESSAGES {
            steps.push(RetentionCandidates { threads: std::mem::take(&mut threads), channel_id, cut_off });
            messages = 0;
        }
    }
    if !threads.is_empty() {
        steps.push(RetentionCandidates { threads, channel_id, cut_off });
    }
    steps
}

fn plan_of(channel: RetentionChannel, cut_off: DateTime<Utc>, workspace: &Workspace) -> ChannelPlan {
    let people = workspace.holds.iter().filter_map(|(hold_id, hold)| match hold.on {
        HoldTarget::Person { user_id } => Some((*hold_id, user_id)),
        HoldTarget::Workspace {} | HoldTarget::Channel { .. } => None,
    });
    let (on_people, held) = people.unzip();
    let policy = channel.policy;
    ChannelPlan {
        due: Due { channel_id: channel.channel_id, cut_off, action: policy.action, keep_pinned: policy.keep_pinned, held },
        on_channel: covering_channel(&workspace.holds, channel.channel_id).collect(),
        on_people,
        shown: ChannelRetention {
            channel_id: channel.channel_id,
            workspace_id: channel.workspace_id,
            name: channel.name,
            days: policy.days.unwrap_or_default(),
            action: policy.action.as_str(),
            keep_pinned: policy.keep_pinned,
            policy_of: if channel.is_own { OF_CHANNEL } else { "workspace" },
            cut_off,
            messages: 0,
            oldest: None,
            held: 0,
            holds: Vec::new(),
        },
    }
}

impl ChannelPlan {
    /// The report of a channel: the messages that stay, and the legal holds that keep them. A hold on the channel keeps
    /// all.
    fn report(&self, count: DueCount) -> ChannelRetention {
        let shown = self.shown.clone();
        if self.on_channel.is_empty() {
            let holds = if count.held > 0 { self.on_people.clone() } else { Vec::new() };
            return ChannelRetention { messages: count.messages, oldest: count.oldest, held: count.held, holds, ..shown };
        }
        ChannelRetention { held: count.messages + count.held, holds: self.on_channel.clone(), ..shown }
    }
}
