//! Gathers events into batches, and appends one batch while the next one is made.
//!
//! The events of one message are always in one batch, and so are the events of one step of a channel or a user. A batch
//! is appended as a whole or not at all.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use domain::ids::{UserId, WorkspaceId};
use domain::text::EmojiName;
use domain::{AggregateType, Context, Event, MessageEvent, StreamId, WorkspaceEvent};
use tokio::sync::mpsc;
use tracing::info;

use super::resume;
use super::sink::Sink;
use super::{ImportError, Observer, Progress, Settings};
use commands::event_store::{Append, ClaimChange, Outcome, PendingEvent, StoreError, StreamWrite};

/// A batch with this many events is handed to the writer.
const BATCH_EVENTS: usize = 1_000;
/// The most batches that wait for the writer.
const BATCHES_WAITING_MAX: usize = 2;
/// How often a batch is tried again after other commands changed the same streams.
const ATTEMPTS_MAX: usize = 8;
/// The number of events of a step, for streams that people write to meanwhile, and how often a step is tried.
const STEP_EVENTS: usize = 20;
const STEP_ATTEMPTS_MAX: usize = 200;

/// The number of appended events, by their names.
pub(super) type Counts = BTreeMap<&'static str, u64>;

/// A write to a stream, with its claims.
pub(super) struct Item {
    pub write: StreamWrite,
    pub claims: Vec<ClaimChange>,
    /// What must be known of the stream before anything is appended.
    pub look_up: LookUp,
}

/// What must be known of a stream before something is appended to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LookUp {
    /// Nothing: its version is known.
    Nothing,
    /// Its version: an earlier run may have written to it.
    Version,
    /// Its state: the events follow those that are there.
    State,
}

/// The content of one append.
pub(super) struct Batch {
    writes: Vec<StreamWrite>,
    claims: Vec<ClaimChange>,
    progress: Progress,
}

/// An imported event with its original actor and time.
pub(super) fn original(event: impl Into<Event>, actor: UserId, at: DateTime<Utc>) -> PendingEvent {
    PendingEvent { event: event.into(), original: Some((actor, at)) }
}

/// The end that gathers.
pub(super) struct Outbox<'a, S> {
    sink: &'a S,
    batches: mpsc::Sender<Batch>,
    items: Vec<Item>,
    streams: HashSet<StreamId>,
    events: usize,
    /// The progress to report after the gathered events are written.
    pub progress: Progress,
    /// The names that reactions of this run have, and that no emoji of Unicode has. Reactions that an earlier run
    /// imported do not count: an emoji that was removed since then must not come back.
    pub emojis: BTreeSet<EmojiName>,
}

impl<'a, S: Sink> Outbox<'a, S> {
    pub(super) fn new(sink: &'a S) -> (Self, mpsc::Receiver<Batch>) {
        let (batches, receiver) = mpsc::channel(BATCHES_WAITING_MAX);
        let (items, streams, progress, emojis) = (Vec::new(), HashSet::new(), Progress::default(), BTreeSet::new());
        let outbox = Self { sink, batches, items, streams, events: 0, progress, emojis };
        (outbox, receiver)
    }

    pub(super) async fn push(&mut self, item: Item) -> Result<(), ImportError> {
        if item.write.events.is_empty() {
            return Ok(());
        }
        // An append writes to a stream once only.
        if self.streams.contains(&item.write.stream) {
            self.seal().await?;
        }
        self.streams.insert(item.write.stream);
        self.events += item.write.events.len();
        self.items.push(item);
        if self.events >= BATCH_EVENTS { self.seal().await } else { Ok(()) }
    }

    /// Appends events to a stream at this version, in steps that fit into an append.
    pub(super) async fn push_many(
        &mut self,
        stream: StreamId,
        workspace: WorkspaceId,
        version: &mut i64,
        events: Vec<PendingEvent>,
    ) -> Result<(), ImportError> {
        let mut events = events.into_iter().peekable();
        while events.peek().is_some() {
            let step = events.by_ref().take(BATCH_EVENTS).collect::<Vec<_>>();
            let expected = *version;
            *version += i64::try_from(step.len()).unwrap_or(i64::MAX);
            let write = StreamWrite { stream, workspace_id: Some(workspace), expected, caused_by: None, events: step };
            self.push(Item { write, claims: Vec::new(), look_up: LookUp::Nothing }).await?;
        }
        Ok(())
    }

    /// Hands the gathered batch to the writer.
    pub(super) async fn seal(&mut self) -> Result<(), ImportError> {
        let items = std::mem::take(&mut self.items);
        self.streams.clear();
        self.events = 0;
        let (writes, claims) = only_new(self.sink, items).await?;
        self.emojis.extend(writes.iter().flat_map(|write| &write.events).filter_map(own_emoji));
        let batch = Batch { writes, claims, progress: self.progress.clone() };
        // The writer stops only after an error, which is returned in place of this one.
        self.batches.send(batch).await.map_err(|_| ImportError::Store(StoreError::Stopped))
    }
}

/// The name of the reaction, if it is no emoji of Unicode.
fn own_emoji(pending: &PendingEvent) -> Option<EmojiName> {
    match &pending.event {
        Event::Message(MessageEvent::Reacted { emoji, .. }) if emoji.is_custom() => EmojiName::parse(emoji.as_str()).ok(),
        _ => None,
    }
}

/// Leaves out everything that an earlier run imported.
async fn only_new<S: Sink>(sink: &S, items: Vec<Item>) -> Result<(Vec<StreamWrite>, Vec<ClaimChange>), StoreError> {
    let asked = items.iter().filter(|item| item.look_up == LookUp::Version).map(|item| item.write.stream).collect::<Vec<_>>();
    let versions = if asked.is_empty() { HashMap::new() } else { sink.versions(&asked).await? };
    let (mut writes, mut claims) = (Vec::with_capacity(items.len()), Vec::new());
    for Item { write, claims: taken, look_up } in items {
        let version = match look_up {
            LookUp::Version | LookUp::State => versions.get(&write.stream).copied().unwrap_or(0),
            LookUp::Nothing => write.expected,
        };
        if resume::is_there(&write, version) {
            continue;
        }
        let as_made = version == write.expected && look_up != LookUp::State;
        let write = if as_made { write } else { resume::missing(sink, write).await? };
        if !write.events.is_empty() {
            writes.push(write);
            claims.extend(taken);
        }
    }
    Ok((writes, claims))
}

/// The end that writes. Counts the appended events by their names.
pub(super) async fn write_all<S: Sink>(
    sink: &S,
    settings: &Settings,
    mut batches: mpsc::Receiver<Batch>,
    observer: &impl Observer,
) -> Result<Counts, ImportError> {
    let mut counts = Counts::new();
    while let Some(batch) = batches.recv().await {
        let progress = batch.progress.clone();
        add(&mut counts, write(sink, settings, batch).await?);
        observer.progress(&Progress { events_appended: counts.values().sum(), ..progress });
    }
    Ok(counts)
}

async fn write<S: Sink>(sink: &S, settings: &Settings, batch: Batch) -> Result<Counts, ImportError> {
    let Batch { mut writes, mut claims, progress: _ } = batch;
    let mut shared = Vec::new();
    let mut attempts = 0;
    while attempts < ATTEMPTS_MAX {
        if writes.is_empty() {
            return write_in_steps(sink, settings, shared, Counts::new()).await;
        }
        match sink.append(request(settings, writes.clone(), claims.clone())).await {
            Ok(Outcome::Appended { .. }) => return write_in_steps(sink, settings, shared, count(&writes)).await,
            Ok(Outcome::Stale(stream)) if is_shared(&stream) => {
                info!(%stream, "other commands change the same stream; the import continues in small steps");
                shared.extend(writes.extract_if(.., |write| write.stream == stream));
                continue;
            }
            Ok(Outcome::ClaimTaken { claim, holder }) if !holds(&claims, &claim, holder) => {
                return Err(ImportError::NameTaken { kind: claim.kind.as_str(), name: claim.value });
            }
            // Another run of the same import wrote it, or the outcome of an attempt is unknown: read the log.
            Ok(outcome) => info!(?outcome, "the imported events exist already; their streams are read again"),
            Err(StoreError::Busy) => info!("the event store was too busy; trying again"),
            Err(error) => return Err(error.into()),
        }
        attempts += 1;
        (writes, claims) = resume::still_missing(sink, writes, claims).await?;
    }
    Err(ImportError::Contended)
}

/// Whether other commands may write to the stream while the import runs.
fn is_shared(stream: &StreamId) -> bool {
    matches!(stream.aggregate, AggregateType::Workspace | AggregateType::Channel)
}

/// Writes a stream in small steps, each based on the stream's present state, because other commands write to it
/// meanwhile.
async fn write_in_steps<S: Sink>(
    sink: &S,
    settings: &Settings,
    writes: Vec<StreamWrite>,
    mut counts: Counts,
) -> Result<Counts, ImportError> {
    for StreamWrite { stream, workspace_id, expected, caused_by, events } in writes {
        let mut events = events.into_iter().peekable();
        while events.peek().is_some() {
            let mut step = events.by_ref().take(STEP_EVENTS).collect::<Vec<_>>();
            // A member that joins and is deactivated again does both in one append.
            step.extend(std::iter::from_fn(|| events.next_if(|pending| deactivates(&pending.event))));
            let write = StreamWrite { stream, workspace_id, expected, caused_by, events: step };
            add(&mut counts, write_step(sink, settings, &write).await?);
        }
    }
    Ok(counts)
}

async fn write_step<S: Sink>(sink: &S, settings: &Settings, write: &StreamWrite) -> Result<Counts, ImportError> {
    for _ in 0..STEP_ATTEMPTS_MAX {
        let left = resume::missing(sink, write.clone()).await?;
        if left.events.is_empty() {
            return Ok(Counts::new());
        }
        let counts = count(std::slice::from_ref(&left));
        match sink.append(request(settings, vec![left], Vec::new())).await {
            Ok(Outcome::Appended { .. }) => return Ok(counts),
            Ok(_) | Err(StoreError::Busy) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ImportError::Contended)
}

fn deactivates(event: &Event) -> bool {
    matches!(event, Event::Workspace(WorkspaceEvent::MemberDeactivated { .. }))
}

fn request(settings: &Settings, writes: Vec<StreamWrite>, claims: Vec<ClaimChange>) -> Append {
    let context = Context::of(settings.importer, settings.at, settings.correlation_id);
    let metadata = context.metadata("import slack");
    Append { writes, guards: Vec::new(), claims, idempotency: None, subject: settings.workspace_id.0, metadata }
}

/// Whether our own holder has the claim: another run of the same import took it.
fn holds(claims: &[ClaimChange], claim: &commands::event_store::Claim, holder: uuid::Uuid) -> bool {
    claims.iter().any(|change| matches!(change, ClaimChange::Take(taken, by) if taken == claim && *by == holder))
}

fn count(writes: &[StreamWrite]) -> Counts {
    let mut counts = Counts::new();
    for pending in writes.iter().flat_map(|write| &write.events) {
        *counts.entry(pending.event.wire_name()).or_default() += 1;
    }
    counts
}

fn add(to: &mut Counts, counts: Counts) {
    for (name, count) in counts {
        *to.entry(name).or_default() += count;
    }
}

/// A new user.
pub(super) fn user_item(user_id: UserId, events: Vec<PendingEvent>, claims: Vec<ClaimChange>) -> Item {
    let stream = StreamId { aggregate: AggregateType::User, id: user_id.0 };
    Item { write: StreamWrite { stream, workspace_id: None, expected: 0, caused_by: None, events }, claims, look_up: LookUp::Nothing }
}
