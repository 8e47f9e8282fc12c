//! Folds the log into rows in memory, and copies the rows into the tables. Memory is bounded: only the messages that
//! were changed last are kept. An event about an earlier message is noted as late, and applied once the indexes exist.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::ids::InvitationId;
use domain::retention::Application;
use domain::{Event, Recorded, RetentionEvent, UserEvent};
use stores::error::chain;
use stores::log::Delivery;
use stores::log::LogStream;
use uuid::Uuid;

use super::past::{LeftOut, Past};
use super::report::{Phase, RebuildError, RebuildProgress};
use super::shadow::Shadow;
use super::writer::{Piece, Writer};
use crate::engine::park::{self, Parked};
use crate::engine::projector::ApplyError;
use crate::relational::audit_log::AuditRecord;
use crate::relational::channel_members::ChannelMemberRecord;
use crate::relational::messages::{
    self, ArchivedMessage, EditRecord, Effects, Mention, MessageRecord, MessageTable, Month, ReactionRecord,
};
use crate::relational::{self, Arrival, CopyBuffer, Erased, EventStamp, Model, Rows};

/// The most memory for the messages of one generation, in bytes.
const GENERATION_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How many bytes are copied at once.
const PIECE_BYTES: usize = 4 * 1024 * 1024;

/// An event whose message was already copied: the changes that it still has to make, in order of position.
#[derive(Clone, Debug)]
pub(super) struct LateEvent {
    pub(super) position: i64,
    pub(super) effects: Effects,
    /// For messages that left their channel: those that were already copied.
    pub(super) leaving: Vec<Uuid>,
}

/// Work that remains after the rows are copied.
#[derive(Debug, Default)]
pub(super) struct FoldResult {
    pub(super) late: Vec<LateEvent>,
    pub(super) parked: Parked,
    /// The erased people. Texts of theirs that were still unsealed when the log was read are removed at the end.
    pub(super) erased: Erased,
    /// Of a view of a moment: the events that could not be applied.
    pub(super) left_out: LeftOut,
}

/// The tables in memory.
#[derive(Default)]
struct Folder {
    /// How many messages a generation may have. Two generations are kept, and a changed message moves to the younger
    /// one.
    generation_rows_max: usize,
    /// All tables except messages, and the younger generation of messages.
    model: Model,
    model_bytes: usize,
    /// The older generation of messages.
    older: Rows<MessageRecord>,
    audit_log: CopyBuffer,
    /// The events that are left out.
    skipped: BTreeSet<i64>,
    /// Selects the events of a view of a moment. `None` if all events are applied.
    past: Option<Past>,
    folded: FoldResult,
}

/// Which events are folded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// The last position.
    pub(super) target: i64,
    /// Of the events up to there, only those that had happened by this moment.
    pub(super) moment: Option<DateTime<Utc>>,
}

impl Extent {
    /// Every event up to a position.
    pub(super) fn to(target: i64) -> Self {
        Self { target, moment: None }
    }
}

/// Folds the log, and writes every row.
pub(super) async fn fold(
    shadow: &mut Shadow,
    extent: Extent,
    kept_messages: usize,
    observe: &(dyn Fn(RebuildProgress) + Send + Sync),
) -> Result<FoldResult, RebuildError> {
    let writer = Writer::start([shadow.connect().await?, shadow.connect().await?]);
    let outcome = fold_into(shadow, extent, kept_messages, &writer, observe).await;
    // If the writer failed, its error is the reason why folding stopped.
    writer.finish().await?;
    outcome
}

async fn fold_into(
    shadow: &mut Shadow,
    Extent { target, moment }: Extent,
    kept_messages: usize,
    writer: &Writer,
    observe: &(dyn Fn(RebuildProgress) + Send + Sync),
) -> Result<FoldResult, RebuildError> {
    let skipped = park::skipped(&mut shadow.connection, relational::NAME).await?;
    let past = moment.map(Past::until);
    let mut folder = Folder { generation_rows_max: (kept_messages / 2).max(1), skipped, past, ..Folder::default() };
    let mut log = LogStream::open(shadow.pool.clone(), shadow.keys.clone(), 0, target);
    while let Some(events) = log.next().await {
        let events = events?;
        let reached = events.last().map_or(0, |event| event.position);
        for event in &events {
            folder.fold(event)?;
        }
        if !folder.write_full_pieces(writer).await {
            return Ok(FoldResult::default());
        }
        observe(RebuildProgress { phase: Phase::Folding, done: count(reached), total: count(target) });
    }
    folder.write_rest(shadow, writer).await
}

impl Folder {
    fn fold(&mut self, event: &Delivery) -> Result<(), RebuildError> {
        if self.skipped.contains(&event.position) {
            return Ok(());
        }
        if self.folded.parked.has(&event.park_key) {
            self.folded.parked.add_waiting(event);
            return Ok(());
        }
        match &event.event {
            Err(error) => self.folded.parked.park(event, chain(error)),
            Ok(recorded) if self.past.is_some() => self.fold_past(recorded)?,
            Ok(recorded) => match self.fold_recorded(recorded) {
                Err(error) if error.is_poison() => self.folded.parked.park(event, error.operator_text()),
                outcome => outcome?,
            },
        }
        Ok(())
    }

    /// Folds an event into a view of a moment, if it had happened by then. An event that cannot be applied blocks no
    /// other: what it changes may have happened later.
    fn fold_past(&mut self, event: &Recorded<Event>) -> Result<(), RebuildError> {
        let Some(past) = &mut self.past else { return Ok(()) };
        if !past.includes(event) {
            if let Event::User(UserEvent::Erased { invitations }) = &event.event {
                past.release(event.stream);
                self.fold_erased(event, invitations);
            } else {
                past.hold(event);
            }
            return Ok(());
        }
        for first in past.take_referred(event) {
            let applied = self.fold_later(&first);
            self.leave_out_if_poison(first.position, applied)?;
        }
        let applied = self.fold_recorded(event);
        self.leave_out_if_poison(event.position, applied)
    }

    /// Folds an erasure that happened after the view's moment: an erased person stays erased in every view.
    fn fold_erased(&mut self, event: &Recorded<Event>, invitations: &[InvitationId]) {
        if self.fold_later(event).is_err() {
            // The view has no row of the person. It may have texts.
            self.model.erased.users.push(event.stream.id);
            self.model.erased.invitations.extend(invitations.iter().map(|invitation| invitation.0));
        }
    }

    /// Folds an event that happened after the view's moment. The audit of that time does not contain it.
    fn fold_later(&mut self, event: &Recorded<Event>) -> Result<(), ApplyError> {
        self.model.apply_without_messages(event)?;
        self.model.audit_log.pop();
        Ok(())
    }

    fn leave_out_if_poison(&mut self, position: i64, applied: Result<(), ApplyError>) -> Result<(), RebuildError> {
        match applied {
            Err(error) if error.is_poison() => self.folded.left_out.add(position),
            applied => applied?,
        }
        Ok(())
    }

    fn fold_recorded(&mut self, event: &Recorded<Event>) -> Result<(), ApplyError> {
        if let Event::Message(happened) = &event.event {
            let id = event.stream.id;
            self.keep_longer(id);
            if let Some(root) = messages::root(&self.model.messages, id, happened) {
                self.keep_longer(root);
            }
            let before = self.size_of(id);
            let effects = messages::apply(&mut self.model.messages, id, EventStamp::of(event), happened, Effects::ALL, Arrival::InOrder)?;
            self.model_bytes += self.size_of(id).saturating_sub(before);
            if effects != Effects::NONE {
                self.folded.late.push(LateEvent { position: event.position, effects, leaving: Vec::new() });
            }
        }
        if let Event::Retention(RetentionEvent::Applied(applied)) = &event.event {
            self.fold_leaving(event, applied);
        }
        self.model.apply_without_messages(event)
    }

    fn fold_leaving(&mut self, event: &Recorded<Event>, applied: &Application) {
        let named = applied.messages.iter().map(|id| id.0).collect::<Vec<_>>();
        named.iter().for_each(|id| self.keep_longer(*id));
        let leaving = messages::leave(&mut self.model.messages, EventStamp::of(event), applied, event.metadata.actor, &named);
        if !leaving.is_empty() {
            self.folded.late.push(LateEvent { position: event.position, effects: Effects::ALL, leaving });
        }
    }

    /// The memory of a message of the younger generation.
    fn size_of(&self, id: Uuid) -> usize {
        self.model.messages.get(id).map_or(0, MessageRecord::size)
    }

    /// Moves a changed message to the younger generation, so that it is kept longer.
    fn keep_longer(&mut self, id: Uuid) {
        if let Some(message) = self.older.take(id) {
            self.model_bytes += message.size();
            self.model.messages.load([message]);
        }
    }

    /// Writes full pieces. Returns whether the writer still works.
    async fn write_full_pieces(&mut self, writer: &Writer) -> bool {
        for record in self.model.audit_log.drain(..) {
            self.audit_log.push(&record);
        }
        if self.audit_log.len() >= PIECE_BYTES
            && !writer.write(Piece::of::<AuditRecord>("audit_log", std::mem::take(&mut self.audit_log))).await
        {
            return false;
        }
        if self.model.messages.len() >= self.generation_rows_max || self.model_bytes >= GENERATION_BYTES_MAX {
            self.model_bytes = 0;
            let full = std::mem::take(&mut self.model.messages);
            let oldest = std::mem::replace(&mut self.older, full);
            return write_messages(writer, oldest).await;
        }
        true
    }

    async fn write_rest(mut self, shadow: &mut Shadow, writer: &Writer) -> Result<FoldResult, RebuildError> {
        let messages = std::mem::take(&mut self.model.messages);
        let audit_log = Piece::of::<AuditRecord>("audit_log", self.audit_log);
        let members = std::mem::take(&mut self.model.channel_members);
        let going_on = write_messages(writer, self.older).await
            && write_messages(writer, messages).await
            && writer.write(audit_log).await
            && write_channel_members(writer, members).await;
        if going_on {
            self.model.fill(&mut shadow.connection).await?;
        }
        self.folded.erased = std::mem::take(&mut self.model.erased);
        Ok(self.folded)
    }
}

async fn write_messages(writer: &Writer, messages: Rows<MessageRecord>) -> bool {
    let mut messages_of = MessageTable::ALL.map(|message_table| (message_table, CopyBuffer::default(), BTreeSet::new()));
    let (mut mentions, mut edits, mut reactions) = (CopyBuffer::default(), CopyBuffer::default(), CopyBuffer::default());
    for message in messages.into_rows() {
        let Some((message_table, rows, months)) =
            messages_of.iter_mut().find(|(message_table, ..)| *message_table == message.message_table())
        else {
            continue;
        };
        match message_table {
            MessageTable::Messages => rows.push(&message),
            MessageTable::Archive => rows.push(&ArchivedMessage(&message)),
        }
        months.insert((*message_table, Month::of(message.created_at())));
        for mention in message.mentions() {
            mentions.push(&mention);
        }
        for edit in message.edits_added() {
            edits.push(edit);
        }
        message.reactions_added().for_each(|reaction| reactions.push(&reaction));
        if edits.len() >= PIECE_BYTES && !writer.write(Piece::of::<EditRecord>("message_edits", std::mem::take(&mut edits))).await {
            return false;
        }
        if reactions.len() >= PIECE_BYTES && !writer.write(piece_of_reactions(std::mem::take(&mut reactions))).await {
            return false;
        }
        if rows.len() >= PIECE_BYTES
            && !writer.write(piece_of_messages(*message_table, std::mem::take(rows)).in_months(std::mem::take(months))).await
        {
            return false;
        }
    }
    for (message_table, rows, months) in messages_of {
        if !writer.write(piece_of_messages(message_table, rows).in_months(months)).await {
            return false;
        }
    }
    writer.write(Piece::of::<EditRecord>("message_edits", edits)).await
        && writer.write(piece_of_reactions(reactions)).await
        && writer.write(Piece::of::<Mention>("mentions", mentions)).await
}

fn piece_of_reactions(rows: CopyBuffer) -> Piece {
    Piece::of::<ReactionRecord>("message_reactions", rows)
}

fn piece_of_messages(message_table: MessageTable, rows: CopyBuffer) -> Piece {
    match message_table {
        MessageTable::Messages => Piece::of::<MessageRecord>(message_table.name(), rows),
        MessageTable::Archive => Piece::of::<ArchivedMessage<'_>>(message_table.name(), rows),
    }
}

async fn write_channel_members(writer: &Writer, members: Rows<ChannelMemberRecord>) -> bool {
    let mut rows = CopyBuffer::default();
    for member in members.into_rows() {
        rows.push(&member);
        if rows.len() >= PIECE_BYTES && !writer.write(Piece::of_table::<ChannelMemberRecord>(std::mem::take(&mut rows))).await {
            return false;
        }
    }
    writer.write(Piece::of_table::<ChannelMemberRecord>(rows)).await
}

/// A position, or a number of events, as progress counts it.
pub(super) fn count(events: i64) -> u64 {
    u64::try_from(events).unwrap_or(0)
}
