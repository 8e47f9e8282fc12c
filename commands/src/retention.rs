//! Runs of the retention policy, which removes old messages from their channels.

use std::sync::atomic::{AtomicUsize, Ordering};

use domain::ids::MessageId;
use domain::retention::{self, Application, RelatedAggregates, RetentionCandidates};
use domain::{Context, RetentionEvent, StreamId};
use sqlx::query_scalar;
use tracing::instrument;

use crate::access_refusal::AccessRefusal;
use crate::event_store::EventStore;
use crate::execute::{Decision, Draft};
use crate::reader::Reader;
use crate::{Appended, CommandError, CommandRequest, Commands, StoreError, authorize};

/// The most messages that one event names.
const NAMED_MAX: usize = 1_000;

/// The result of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovedMessages {
    /// How many messages were removed.
    pub messages: usize,
    /// The appended events.
    pub appended: Appended,
}

impl Commands {
    /// Removes those of the threads that are old enough, not held, and not kept because of a pin. The caller may have
    /// read the threads from a projection, whose position was `read_at`. So everything is checked against the log, and
    /// each message is guarded.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    #[instrument(name = "apply retention", skip_all, fields(channel.id = %cut.channel_id, threads = cut.threads.len()))]
    pub async fn apply_retention(
        &self,
        asked: &CommandRequest,
        cut: RetentionCandidates,
        read_at: i64,
    ) -> Result<RemovedMessages, CommandError> {
        let apply = Apply { store: &self.store, cut, read_at, messages: AtomicUsize::new(0) };
        let appended = self.execute(asked, &apply).await?;
        Ok(RemovedMessages { messages: apply.messages.load(Ordering::Relaxed), appended })
    }
}

struct Apply<'a> {
    store: &'a EventStore,
    cut: RetentionCandidates,
    read_at: i64,
    /// How many messages the latest draft names.
    messages: AtomicUsize,
}

impl Decision for Apply<'_> {
    fn name(&self) -> &'static str {
        "apply retention"
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let channel = reader.channel(self.cut.channel_id).await?;
        let workspace_id = channel.creation.as_ref().ok_or(AccessRefusal::ChannelNotFound)?.workspace_id;
        let workspace = reader.workspace(workspace_id).await?;
        authorize::apply_retention(&workspace, context.actor)?;
        let mut cut = self.cut.clone();
        let answered = answered_since(self.store, self.read_at, &cut).await?;
        cut.threads.retain(|thread| thread.first().is_none_or(|root| !answered.contains(root)));
        let messages = reader.messages(&cut.threads.concat()).await?;
        let related = RelatedAggregates { workspace, channel, messages };
        let (mut draft, mut named) = (Draft::of(cut.channel_id), 0);
        for (stream, application) in retention::cut(&related, context, &cut)? {
            let events = reader.retention(stream).await?.decide(application);
            let events = events.into_iter().flat_map(bounded).collect::<Vec<_>>();
            named += events.iter().map(count).sum::<usize>();
            draft = draft.write(StreamId::retention(stream), Some(workspace_id), events);
        }
        self.messages.store(named, Ordering::Relaxed);
        Ok(draft)
    }
}

fn count(event: &RetentionEvent) -> usize {
    match event {
        RetentionEvent::Applied(application) => application.messages.len(),
    }
}

/// Splits an event, so that its size is limited: a thread may have any number of answers.
fn bounded(event: RetentionEvent) -> Vec<RetentionEvent> {
    let RetentionEvent::Applied(application) = event;
    let part = |messages: &[MessageId]| Application { messages: messages.to_vec(), ..(*application).clone() };
    application.messages.chunks(NAMED_MAX).map(|messages| RetentionEvent::Applied(Box::new(part(messages)))).collect()
}

/// Finds the threads that were answered after `read_at`. The caller did not name these answers, so the threads stay
/// until the next run.
async fn answered_since(store: &EventStore, read_at: i64, cut: &RetentionCandidates) -> Result<Vec<MessageId>, StoreError> {
    let roots = cut.threads.iter().filter_map(|thread| thread.first()).map(ToString::to_string).collect::<Vec<_>>();
    let answered = query_scalar!(
        r#"SELECT DISTINCT (payload -> 'message.posted' ->> 'thread_id')::uuid AS "root!" FROM events
           WHERE position > $1 AND event_type = 'message.posted' AND payload -> 'message.posted' ->> 'thread_id' = ANY ($2)"#,
        read_at,
        &roots,
    );
    Ok(answered.fetch_all(store.pool()).await?.into_iter().map(MessageId).collect())
}
