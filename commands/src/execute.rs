//! A command's way: load → authorise → decide → append, and again where what it rested on has changed in the meantime.
//!
//! The first attempt takes aggregates as they are in memory; the append's guards make that safe. Only an append may rest on memory alone: a
//! refusal, or finding that nothing has to change, is checked once more after catching up with the log.

use domain::ids::WorkspaceId;
use domain::{Context, Event, StreamId};
use stores::retry;
use tracing::debug;
use uuid::Uuid;

use crate::event_store::{Append, Claim, ClaimChange, ClaimKind, Outcome, StreamWrite};
use crate::reader::Reader;
use crate::{Appended, Asked, CommandError, Commands, Taken};

/// A command that can be decided, any number of times.
pub(crate) trait Decision: Sync {
    /// The name under which the log remembers it.
    fn name(&self) -> &'static str;

    /// Loads, authorises and decides.
    fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> impl Future<Output = Result<Draft, CommandError>> + Send;

    /// What it means that somebody holds a claim that this command wanted.
    fn claim_taken(&self, claim: &Claim, holder: Uuid) -> Result<Uuid, CommandError> {
        let _ = holder;
        Err(taken(claim))
    }
}

/// A name that somebody else holds. A slot that another request of the same person has just taken is no refusal: there may be a next one.
pub(crate) fn taken(claim: &Claim) -> CommandError {
    match claim.kind {
        ClaimKind::WorkspaceSlot | ClaimKind::ChannelSlot => CommandError::Contended,
        kind => Taken { kind }.into(),
    }
}

/// What a decision wants appended.
pub(crate) struct Draft {
    /// What is created, or acted on.
    pub subject: Uuid,
    pub writes: Vec<DraftWrite>,
    pub claims: Vec<ClaimChange>,
}

/// Events of one stream. Their version is that at which the stream was read.
pub(crate) struct DraftWrite {
    pub stream: StreamId,
    pub workspace_id: Option<WorkspaceId>,
    /// The stream whose last event in this draft set these off.
    pub caused_by: Option<StreamId>,
    pub events: Vec<Event>,
}

impl Draft {
    pub(crate) fn of(subject: impl Into<Uuid>) -> Self {
        Self { subject: subject.into(), writes: Vec::new(), claims: Vec::new() }
    }

    /// Adds what happened to a stream, if anything did.
    pub(crate) fn write<E: Into<Event>>(mut self, stream: StreamId, workspace_id: Option<WorkspaceId>, events: Vec<E>) -> Self {
        if !events.is_empty() {
            self.writes.push(DraftWrite { stream, workspace_id, caused_by: None, events: events.into_iter().map(Into::into).collect() });
        }
        self
    }

    /// Adds what came of what this draft has of the stream `cause`.
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
}

impl Commands {
    /// Runs a command.
    pub(crate) async fn execute(&self, asked: &Asked, decision: &impl Decision) -> Result<Appended, CommandError> {
        match self.attempt(asked, decision, None).await {
            Ok(Attempt::Done(done)) => return Ok(done),
            Ok(Attempt::Again) | Err(CommandError::Refused(_) | CommandError::Contended) => {}
            Err(error) => return Err(error),
        }
        // An import that writes to the same stream without a pause must not keep everybody else out.
        for (attempt, pause) in (1_u32..).zip(retry::decisions()) {
            debug!(attempt, command = decision.name(), "deciding anew on what stands now");
            tokio::time::sleep(pause.mul_f64(rand::random::<f64>())).await;
            let head = self.store.catch_up().await?;
            match self.attempt(asked, decision, Some(head)).await {
                Ok(Attempt::Done(done)) => return Ok(done),
                Ok(Attempt::Again) | Err(CommandError::Contended) => {}
                Err(CommandError::Refused(refusal)) => return self.first_outcome(asked).await?.ok_or(CommandError::Refused(refusal)),
                Err(error) => return Err(error),
            }
        }
        Err(CommandError::Contended)
    }

    /// One attempt; `head` is where the log ended when this process caught up with it, if it did.
    async fn attempt(&self, asked: &Asked, decision: &impl Decision, head: Option<i64>) -> Result<Attempt, CommandError> {
        let mut reader = Reader::new(&self.store);
        let draft = decision.draft(&asked.context, &mut reader).await?;
        let subject = draft.subject;
        if draft.writes.is_empty() {
            return self.nothing_to_change(asked, subject, head).await;
        }
        match self.store.append(request(asked, decision.name(), draft, reader)).await? {
            Outcome::Appended { position } => Ok(Attempt::Done(Appended { position, id: subject, replayed: false })),
            Outcome::Replayed { position, subject } => Ok(Attempt::Done(Appended { position, id: subject, replayed: true })),
            Outcome::KeyReused => Err(CommandError::KeyReused),
            Outcome::Stale(_) => Ok(Attempt::Again),
            Outcome::ClaimTaken { claim, holder } => {
                let id = decision.claim_taken(&claim, holder)?;
                Ok(Attempt::Done(Appended { position: self.store.catch_up().await?, id, replayed: true }))
            }
        }
    }

    async fn nothing_to_change(&self, asked: &Asked, subject: Uuid, head: Option<i64>) -> Result<Attempt, CommandError> {
        let Some(position) = head else { return Ok(Attempt::Again) };
        let first = self.first_outcome(asked).await?;
        Ok(Attempt::Done(first.unwrap_or(Appended { position, id: subject, replayed: false })))
    }

    /// What came of the same request before: it may be why the request is refused now.
    async fn first_outcome(&self, asked: &Asked) -> Result<Option<Appended>, CommandError> {
        let Some(used) = &asked.idempotency else { return Ok(None) };
        match self.store.remembered(asked.context.actor, used).await? {
            Some(Outcome::Replayed { position, subject }) => Ok(Some(Appended { position, id: subject, replayed: true })),
            Some(_) => Err(CommandError::KeyReused),
            None => Ok(None),
        }
    }
}

/// The append of a draft: what was read and is written has that version, what was only read is guarded.
fn request(asked: &Asked, command: &'static str, draft: Draft, reader: Reader<'_>) -> Append {
    let mut seen = reader.into_seen();
    let writes = draft.writes.into_iter().map(|write| StreamWrite {
        stream: write.stream,
        workspace_id: write.workspace_id,
        expected: seen.remove(&write.stream).unwrap_or(0),
        caused_by: write.caused_by,
        events: write.events.into_iter().map(Into::into).collect(),
    });
    Append {
        writes: writes.collect(),
        guards: seen.into_iter().collect(),
        claims: draft.claims,
        idempotency: asked.idempotency.clone(),
        subject: draft.subject,
        metadata: asked.context.metadata(command),
    }
}
