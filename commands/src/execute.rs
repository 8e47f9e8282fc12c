//! The steps of a command: load → authorise → decide → append. They are repeated if a stream that the decision depends
//! on has changed.
//!
//! The first attempt uses the aggregates in memory. The append's guards make that safe. A refusal, or the result that
//! nothing changes, has no guards. So it is checked once more after the process has caught up with the log.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use domain::ids::WorkspaceId;
use domain::{Context, Event, StreamId};
use stores::retry;
use tracing::debug;
use uuid::Uuid;

use crate::access_refusal::AccessRefusal;
use crate::event_store::{Append, Claim, ClaimChange, ClaimKind, Outcome, StreamWrite};
use crate::reader::Reader;
use crate::{Appended, CommandError, CommandRequest, Commands, Taken};

/// A command that can be decided any number of times.
pub(crate) trait Decision: Sync {
    /// The command's name in the metadata of its events.
    fn name(&self) -> &'static str;

    /// Loads, authorises and decides.
    fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> impl Future<Output = Result<Draft, CommandError>> + Send;

    /// The row that the command changes, if it changes one.
    fn row(&self) -> Option<ChangedRow> {
        None
    }

    /// The result when a claim of this command is held already: the identifier of the existing thing, or a refusal.
    fn claim_taken(&self, claim: &Claim, holder: Uuid) -> Result<Uuid, CommandError> {
        let _ = holder;
        Err(taken(claim))
    }
}

/// A row that clients read and change, with the events of its stream that only add to it. An addition of another user is no
/// change that an edit could overwrite: a message can be edited although somebody has reacted to it meanwhile.
pub(crate) struct ChangedRow {
    pub stream: StreamId,
    pub additions: &'static [&'static str],
}

/// The error that a name is held already. A slot that another request of the same user has just taken is not a refusal,
/// because a further slot may be free.
pub(crate) fn taken(claim: &Claim) -> CommandError {
    match claim.kind {
        ClaimKind::WorkspaceSlot | ClaimKind::ChannelSlot => CommandError::Contended,
        kind => Taken { kind }.into(),
    }
}

/// The events and claims that a decision wants to append.
pub(crate) struct Draft {
    /// The identifier of the thing that is created or changed.
    pub subject: Uuid,
    pub writes: Vec<DraftWrite>,
    pub claims: Vec<ClaimChange>,
}

/// Events of one stream. The expected version is the one that was read.
pub(crate) struct DraftWrite {
    pub stream: StreamId,
    pub workspace_id: Option<WorkspaceId>,
    /// The stream whose last event in this draft causes these events.
    pub caused_by: Option<StreamId>,
    pub events: Vec<Event>,
}

impl Draft {
    pub(crate) fn of(subject: impl Into<Uuid>) -> Self {
        Self { subject: subject.into(), writes: Vec::new(), claims: Vec::new() }
    }

    /// Adds the events of a stream, if there are any.
    pub(crate) fn write<E: Into<Event>>(mut self, stream: StreamId, workspace_id: Option<WorkspaceId>, events: Vec<E>) -> Self {
        if !events.is_empty() {
            self.writes.push(DraftWrite { stream, workspace_id, caused_by: None, events: events.into_iter().map(Into::into).collect() });
        }
        self
    }

    /// Adds events that are caused by this draft's events of the stream `cause`.
    pub(crate) fn effect<E: Into<Event>>(
        self,
        cause: StreamId,
        stream: StreamId,
        workspace_id: Option<WorkspaceId>,
        events: Vec<E>,
    ) -> Self {
        let before = self.writes.len();
        let mut draft = self.write(stream, workspace_id, events);
        draft.writes.iter_mut().skip(before).for_each(|write| write.caused_by = Some(cause));
        draft
    }

    pub(crate) fn claim(mut self, changes: impl IntoIterator<Item = ClaimChange>) -> Self {
        self.claims.extend(changes);
        self
    }
}

enum Attempt {
    Done(Appended),
    Again,
    /// Again, at this time: the time of the request is too far from the time at which its events would be recorded.
    At(DateTime<Utc>),
}

impl Commands {
    /// Runs a command.
    pub(crate) async fn execute(&self, asked: &CommandRequest, decision: &impl Decision) -> Result<Appended, CommandError> {
        let mut asked = Cow::Borrowed(asked);
        match self.attempt(&asked, decision, None).await {
            Ok(Attempt::Done(done)) => return Ok(done),
            Ok(Attempt::At(at)) => asked.to_mut().context.at = at,
            Ok(Attempt::Again) | Err(CommandError::Refused(_) | CommandError::Contended) => {}
            Err(error) => return Err(error),
        }
        // An import that writes to the same stream without a pause must not block other callers.
        for (attempt, pause) in (1_u32..).zip(retry::decisions()) {
            debug!(attempt, command = decision.name(), "the command is decided again on the present state");
            tokio::time::sleep(pause.mul_f64(rand::random::<f64>())).await;
            let head = self.store.catch_up().await?;
            match self.attempt(&asked, decision, Some(head)).await {
                Ok(Attempt::Done(done)) => return Ok(done),
                Ok(Attempt::At(at)) => asked.to_mut().context.at = at,
                Ok(Attempt::Again) | Err(CommandError::Contended) => {}
                Err(CommandError::Refused(refusal)) => return self.first_outcome(&asked).await?.ok_or(CommandError::Refused(refusal)),
                Err(error) => return Err(error),
            }
        }
        Err(CommandError::Contended)
    }

    /// One attempt. `head` is the end of the log up to which this process has caught up, if it has.
    async fn attempt(&self, asked: &CommandRequest, decision: &impl Decision, head: Option<i64>) -> Result<Attempt, CommandError> {
        let mut reader = Reader::new(&self.store);
        let draft = decision.draft(&asked.context, &mut reader).await?;
        self.check_condition(asked, decision.row()).await?;
        let subject = draft.subject;
        if draft.writes.is_empty() {
            return self.nothing_to_change(asked, subject, head).await;
        }
        match self.store.append(request(asked, decision.name(), draft, reader)).await? {
            Outcome::Appended { position, recorded_at } => {
                Ok(Attempt::Done(Appended { position, recorded_at, id: subject, replayed: false }))
            }
            Outcome::Replayed { position, recorded_at, subject } => {
                Ok(Attempt::Done(Appended { position, recorded_at, id: subject, replayed: true }))
            }
            Outcome::Untimely { recorded_at } => Ok(Attempt::At(recorded_at)),
            Outcome::KeyReused => Err(CommandError::KeyReused),
            Outcome::Stale(_) => Ok(Attempt::Again),
            Outcome::ClaimTaken { claim, holder } => {
                let id = decision.claim_taken(&claim, holder)?;
                let position = self.store.catch_up().await?;
                Ok(Attempt::Done(Appended { position, recorded_at: asked.context.at, id, replayed: false }))
            }
        }
    }

    /// Checks that the row has not changed since the actor read it. The draft has loaded the row's stream, so the append
    /// refuses a change that is recorded after this check.
    async fn check_condition(&self, asked: &CommandRequest, row: Option<ChangedRow>) -> Result<(), CommandError> {
        let Some(position) = asked.unchanged_since else { return Ok(()) };
        let row = row.ok_or(AccessRefusal::NoRow)?;
        let has_changed = self.store.has_changed(row.stream, position, row.additions).await?;
        if has_changed { Err(AccessRefusal::RowChanged.into()) } else { Ok(()) }
    }

    async fn nothing_to_change(&self, asked: &CommandRequest, subject: Uuid, head: Option<i64>) -> Result<Attempt, CommandError> {
        let Some(position) = head else { return Ok(Attempt::Again) };
        let first = self.first_outcome(asked).await?;
        Ok(Attempt::Done(first.unwrap_or(Appended { position, recorded_at: asked.context.at, id: subject, replayed: false })))
    }

    /// Returns the result of an earlier run of the same request: this may be why the request is refused now.
    async fn first_outcome(&self, asked: &CommandRequest) -> Result<Option<Appended>, CommandError> {
        let Some(used) = &asked.idempotency else { return Ok(None) };
        match self.store.remembered(asked.context.actor, used).await? {
            Some(Outcome::Replayed { position, recorded_at, subject }) => {
                Ok(Some(Appended { position, recorded_at, id: subject, replayed: true }))
            }
            Some(_) => Err(CommandError::KeyReused),
            None => Ok(None),
        }
    }
}

/// The append request of a draft. A stream that is written expects the version that was read. A stream that was only
/// read is guarded.
fn request(asked: &CommandRequest, command: &'static str, draft: Draft, reader: Reader<'_>) -> Append {
    let mut versions = reader.into_versions();
    let writes = draft.writes.into_iter().map(|write| StreamWrite {
        stream: write.stream,
        workspace_id: write.workspace_id,
        expected: versions.remove(&write.stream).unwrap_or(0),
        caused_by: write.caused_by,
        events: write.events.into_iter().map(Into::into).collect(),
    });
    Append {
        writes: writes.collect(),
        guards: versions.into_iter().collect(),
        claims: draft.claims,
        idempotency: asked.idempotency.clone(),
        subject: draft.subject,
        metadata: asked.context.metadata(command),
    }
}
