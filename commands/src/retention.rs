//! What retention does: messages that are old enough leave their channels.

use std::sync::atomic::{AtomicUsize, Ordering};

use domain::ids::MessageId;
use domain::retention::{self, Application, Cut, Surroundings};
use domain::{Context, RetentionEvent, StreamId};
use sqlx::query_scalar;
use tracing::instrument;

use crate::authorize::AccessRefusal;
use crate::event_store::EventStore;
use crate::execute::{Decision, Draft};
use crate::reader::Reader;
use crate::{Appended, Asked, CommandError, Commands, StoreError, authorize};

/// Messages that one event names at most.
const NAMED_MAX: usize = 1_000;

/// What came of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// How many messages left.
    pub messages: usize,
    /// What was appended.
    pub appended: Appended,
}

impl Commands {
    /// Has those of the threads leave that are old enough, not pinned where pinned ones stay, and not held. What is asked for may have been read
    /// from a projection, which stood at `read_at`: everything is checked against the log, and each message is guarded.
    ///
    /// # Errors
    /// The refusal, or the store failed.
    #[instrument(name = "apply retention", skip_all, fields(channel.id = %cut.channel_id, threads = cut.threads.len()))]
    pub async fn apply_retention(&self, asked: &Asked, cut: Cut, read_at: i64) -> Result<Left, CommandError> {
        let apply = Apply { store: &self.store, cut, read_at, messages: AtomicUsize::new(0) };
        let appended = self.execute(asked, &apply).await?;
        Ok(Left { messages: apply.messages.load(Ordering::Relaxed), appended })
    }
}

struct Apply<'a> {
    store: &'a EventStore,
    cut: Cut,
    read_at: i64,
    /// How many the latest draft named.
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
        let around = Surroundings { workspace, channel, messages };
        let (mut draft, mut named) = (Draft::of(cut.channel_id), 0);
        for (stream, application) in retention::cut(&around, context, &cut)? {
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

/// No event grows without bound: a thread may have any number of answers.
fn bounded(event: RetentionEvent) -> Vec<RetentionEvent> {
    let RetentionEvent::Applied(application) = event;
    let part = |messages: &[MessageId]| Application { messages: messages.to_vec(), ..(*application).clone() };
    application.messages.chunks(NAMED_MAX).map(|messages| RetentionEvent::Applied(Box::new(part(messages)))).collect()
}

/// Those of the threads that were answered after `read_at`: their answers are not named, so they stay for another day.
async fn answered_since(store: &EventStore, read_at: i64, cut: &Cut) -> Result<Vec<MessageId>, StoreError> {
    let roots = cut.threads.iter().filter_map(|thread| thread.first()).map(ToString::to_string).collect::<Vec<_>>();
    let answered = query_scalar!(
        r#"SELECT DISTINCT (payload -> 'message.posted' ->> 'thread_id')::uuid AS "root!" FROM events
           WHERE position > $1 AND event_type = 'message.posted' AND payload -> 'message.posted' ->> 'thread_id' = ANY ($2)"#,
        read_at,
        &roots,
    );
    Ok(answered.fetch_all(store.pool()).await?.into_iter().map(MessageId).collect())
}
