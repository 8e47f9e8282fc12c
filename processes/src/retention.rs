//! Retention: what is due is looked up in the read tables and handed to the write side, which checks it against the log. In small steps: each
//! is one append, so that a run that is cut off in the middle has done what it did, and the next one does the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use commands::{Asked, CommandError, Commands};
use domain::ids::{ChannelId, EventId, HoldId, UserId, WorkspaceId};
use domain::retention::Cut;
use domain::workspace::{HoldTarget, covering_channel};
use domain::{Context, Refusal, StreamId, Workspace};
use projections::relational::retention::{Due, DueCount, RetentionChannel};
use projections::{QueryError, ReadModels};
use serde::Serialize;
use sqlx::{PgPool, query_scalar};
use tokio::runtime::Handle;
use tracing::{info, warn};
use utoipa::ToSchema;
use uuid::Uuid;

use super::cursor::Turn;

/// The process's name, in `process_cursors` and in its lock.
pub(crate) const PROCESS: &str = "retention";

/// What `policy_of` says where the channel has a policy of its own.
const OF_CHANNEL: &str = "channel";
/// Threads that are read at a time.
const PAGE_THREADS: u32 = 10_000;
/// Messages that leave in one append, at least; a thread is never parted.
const STEP_MESSAGES: usize = 500;

/// Looks at what is due, and has it leave. Clones share everything.
#[derive(Clone)]
pub struct Retention {
    commands: Commands,
    read: ReadModels,
    pub(super) pool: PgPool,
    /// Not the threads that answer requests: a run may take long.
    runtime: Handle,
}

/// Why retention did not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A run is under way, here or on another node.
    #[error("a retention run is under way: wait until it is done")]
    UnderWay,
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

/// What a run has done, or would do, to one channel.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ChannelRetention {
    /// The channel.
    #[schema(value_type = Uuid)]
    pub channel_id: ChannelId,
    /// The workspace.
    #[schema(value_type = Uuid)]
    pub workspace_id: WorkspaceId,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// Messages are kept for so many days.
    pub days: u32,
    /// `archive` or `purge`.
    #[schema(example = "archive")]
    pub action: &'static str,
    /// Whether pinned messages stay, with their threads.
    pub keep_pinned: bool,
    /// Whose policy it is: `channel` or `workspace`.
    #[schema(example = "workspace")]
    pub policy_of: &'static str,
    /// What was sent before this moment is old enough.
    pub cut_off: DateTime<Utc>,
    /// Messages that leave.
    pub messages: i64,
    /// When the oldest of them was sent.
    pub oldest: Option<DateTime<Utc>>,
    /// Messages that are old enough, and stay because of legal holds.
    pub held: i64,
    /// Those holds.
    #[schema(value_type = Vec<Uuid>)]
    pub holds: Vec<HoldId>,
}

/// What a run has done, or would do: the channels with a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct RetentionReport {
    /// Channel by channel.
    pub channels: Vec<ChannelRetention>,
}

impl RetentionReport {
    /// Messages of all channels that leave.
    #[must_use]
    pub fn messages(&self) -> i64 {
        self.channels.iter().map(|channel| channel.messages).sum()
    }

    /// Messages of all channels that stay because of legal holds.
    #[must_use]
    pub fn held(&self) -> i64 {
        self.channels.iter().map(|channel| channel.held).sum()
    }
}

/// A channel with its policy, at one moment, and the holds that there are.
struct Judged {
    due: Due,
    /// Holds on the whole channel.
    on_channel: Vec<HoldId>,
    /// Holds on people.
    on_people: Vec<HoldId>,
    shown: ChannelRetention,
}

impl Retention {
    /// Over those.
    #[must_use]
    pub fn new(commands: Commands, read: ReadModels, pool: PgPool, runtime: Handle) -> Self {
        Self { commands, read, pool, runtime }
    }

    /// What a run would do now: in that workspace, or in all.
    ///
    /// # Errors
    /// A database cannot be used.
    pub async fn preview(&self, workspace_id: Option<WorkspaceId>) -> Result<RetentionReport, RunError> {
        let mut report = RetentionReport::default();
        for judged in self.judged(workspace_id).await? {
            let count = self.read.count_due(&judged.due).await?;
            report.channels.push(judged.counted(count));
        }
        Ok(report)
    }

    /// Has everything leave that is due: in that workspace, or in all. One run at a time, over all nodes.
    ///
    /// # Errors
    /// A run is under way, or a database cannot be used; what had left by then has left.
    pub async fn run(&self, workspace_id: Option<WorkspaceId>) -> Result<RetentionReport, RunError> {
        let turn = Turn::take(&self.pool, PROCESS).await?.ok_or(RunError::UnderWay)?;
        self.run_in(turn, workspace_id).await
    }

    /// Begins a run in the workspace, and does not wait for its end.
    ///
    /// # Errors
    /// A run is under way, or the database cannot be used.
    pub async fn start(&self, workspace_id: WorkspaceId) -> Result<(), RunError> {
        let turn = Turn::take(&self.pool, PROCESS).await?.ok_or(RunError::UnderWay)?;
        let retention = self.clone();
        drop(self.runtime.spawn(async move {
            if let Err(error) = retention.run_in(turn, Some(workspace_id)).await {
                warn!(%error, workspace.id = %workspace_id, "a retention run that was asked for failed");
            }
        }));
        Ok(())
    }

    async fn run_in(&self, mut turn: Turn, workspace_id: Option<WorkspaceId>) -> Result<RetentionReport, RunError> {
        let began = Utc::now();
        let mut report = RetentionReport::default();
        for judged in self.judged(workspace_id).await? {
            let channel_id = judged.due.channel_id;
            let count = self.read.count_due(&judged.due).await?;
            let mut shown = judged.counted(count);
            if judged.on_channel.is_empty() && count.messages > 0 {
                let cause = self.policy_set_by(&judged).await?;
                shown.messages = self.have_leave(&judged.due, cause).await?;
                info!(channel.id = %channel_id, messages = shown.messages, action = shown.action, "messages left their channel");
            }
            report.channels.push(shown);
        }
        if workspace_id.is_none() {
            turn.finished(began).await?;
        }
        Ok(report)
    }

    async fn judged(&self, workspace_id: Option<WorkspaceId>) -> Result<Vec<Judged>, RunError> {
        let now = Utc::now();
        let mut workspaces = BTreeMap::<WorkspaceId, Arc<Workspace>>::new();
        let mut judged = Vec::new();
        for channel in self.read.retention_channels(workspace_id).await? {
            let Some(cut_off) = channel.policy.cut_off(now) else { continue };
            if let std::collections::btree_map::Entry::Vacant(unknown) = workspaces.entry(channel.workspace_id) {
                unknown.insert(self.commands.workspace_state(channel.workspace_id).await?);
            }
            if let Some(workspace) = workspaces.get(&channel.workspace_id) {
                judged.push(judge(channel, cut_off, workspace));
            }
        }
        Ok(judged)
    }

    /// The event that said the policy as it stands: it is why messages leave.
    async fn policy_set_by(&self, judged: &Judged) -> Result<Option<EventId>, RunError> {
        let stream = match judged.shown.policy_of {
            OF_CHANNEL => StreamId::channel(judged.due.channel_id),
            _ => StreamId::workspace(judged.shown.workspace_id),
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

    /// Step by step; answers with how many messages left.
    async fn have_leave(&self, due: &Due, causation_id: Option<EventId>) -> Result<i64, RunError> {
        let (mut left, mut after) = (0, None);
        loop {
            let page = self.read.due_threads(due, after, PAGE_THREADS).await?;
            for cut in steps(page.cut) {
                let context = Context { causation_id, ..Context::of(UserId::SYSTEM, Utc::now(), Uuid::now_v7()) };
                let asked = Asked { context, idempotency: None };
                match self.commands.apply_retention(&asked, cut, page.read_at).await {
                    Ok(done) => left += i64::try_from(done.messages).unwrap_or(0),
                    // The policy or a hold changed meanwhile: then this channel is left alone from here on.
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

/// As many steps as it takes.
fn steps(cut: Cut) -> Vec<Cut> {
    let Cut { channel_id, cut_off, threads: all } = cut;
    let mut steps = Vec::new();
    let (mut threads, mut messages) = (Vec::new(), 0);
    for thread in all {
        messages += thread.len();
        threads.push(thread);
        if messages >= STEP_MESSAGES {
            steps.push(Cut { threads: std::mem::take(&mut threads), channel_id, cut_off });
            messages = 0;
        }
    }
    if !threads.is_empty() {
        steps.push(Cut { threads, channel_id, cut_off });
    }
    steps
}

fn judge(channel: RetentionChannel, cut_off: DateTime<Utc>, workspace: &Workspace) -> Judged {
    let people = workspace.holds.iter().filter_map(|(hold_id, hold)| match hold.on {
        HoldTarget::Person { user_id } => Some((*hold_id, user_id)),
        HoldTarget::Workspace {} | HoldTarget::Channel { .. } => None,
    });
    let (on_people, held) = people.unzip();
    let policy = channel.policy;
    Judged {
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

impl Judged {
    /// What is held back, and by which holds: all of it, where the channel is held.
    fn counted(&self, count: DueCount) -> ChannelRetention {
        let shown = self.shown.clone();
        if self.on_channel.is_empty() {
            let holds = if count.held > 0 { self.on_people.clone() } else { Vec::new() };
            return ChannelRetention { messages: count.messages, oldest: count.oldest, held: count.held, holds, ..shown };
        }
        ChannelRetention { held: count.messages + count.held, holds: self.on_channel.clone(), ..shown }
    }
}
