//! The rule of which messages the retention policy removes, without async, clock or framework.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::event::Application;
use super::{Retention, RetentionEvent, RetentionRefusal};
use crate::channel::Channel;
use crate::context::Context;
use crate::ids::{ChannelId, MessageId, RetentionId};
use crate::message::Message;
use crate::retention_policy::{RetentionAction, RetentionPolicy, policy_of};
use crate::workspace::{self, Subject, Workspace};

/// The threads that a retention run wants to remove from a channel, because it found them old enough.
#[derive(Clone, Debug, PartialEq)]
pub struct RetentionCandidates {
    /// The channel.
    pub channel_id: ChannelId,
    /// All messages were sent before this moment.
    pub cut_off: DateTime<Utc>,
    /// The threads, each with all its messages. The policy removes a thread as a whole, or not at all.
    pub threads: Vec<Vec<MessageId>>,
}

/// The other aggregates that a retention decision depends on.
#[derive(Clone, Debug, Default)]
pub struct RelatedAggregates {
    /// The workspace.
    pub workspace: Arc<Workspace>,
    /// The channel.
    pub channel: Arc<Channel>,
    /// The messages that the run names.
    pub messages: BTreeMap<MessageId, Arc<Message>>,
}

/// The messages of the threads that the policy removes, by the stream that records it. A thread stays as a whole if one
/// of its messages is too young, is held, or is pinned and the policy keeps pinned messages.
///
/// # Errors
/// The whole channel stays, because it is held or because its policy removes nothing.
pub fn cut(
    related: &RelatedAggregates,
    context: &Context,
    cut: &RetentionCandidates,
) -> Result<BTreeMap<RetentionId, Application>, RetentionRefusal> {
    let policy = policy_here(related, context, cut)?;
    let mut applications = BTreeMap::new();
    for thread in cut.threads.iter().filter(|thread| leaves(related, cut, policy, thread)) {
        for id in thread {
            if let Some(posting) = related.messages.get(id).and_then(|message| message.posting.as_ref()) {
                let stream = RetentionId::of(cut.channel_id, posting.sent_at);
                applications.entry(stream).or_insert_with(|| application(cut, policy)).messages.push(*id);
            }
        }
    }
    Ok(applications)
}

/// The channel's policy. Refuses if it does not remove messages before the cut-off, or if a hold covers the whole
/// channel.
fn policy_here(related: &RelatedAggregates, context: &Context, cut: &RetentionCandidates) -> Result<RetentionPolicy, RetentionRefusal> {
    if !related.channel.exists() {
        return Err(RetentionRefusal::ChannelNotFound);
    }
    let policy = policy_of(related.workspace.settings.retention_policy, related.channel.settings.retention_policy);
    let allowed = policy.cut_off(context.at).ok_or(RetentionRefusal::KeptForEver)?;
    if cut.cut_off > allowed {
        return Err(RetentionRefusal::CutOffTooLate);
    }
    match workspace::covering_channel(&related.workspace.holds, cut.channel_id).next() {
        Some(hold_id) => Err(RetentionRefusal::Held(hold_id)),
        None => Ok(policy),
    }
}

fn leaves(related: &RelatedAggregates, cut: &RetentionCandidates, policy: RetentionPolicy, thread: &[MessageId]) -> bool {
    let Some(first) = thread.first() else { return false };
    thread.iter().all(|id| {
        let Some(message) = related.messages.get(id) else { return false };
        let Some(posting) = &message.posting else { return false };
        let subject = Subject::Message { channel_id: cut.channel_id, author: posting.author };
        posting.channel_id == cut.channel_id
            && posting.sent_at < cut.cut_off
            && (id == first || posting.thread_id == Some(*first))
            && !(policy.keep_pinned && message.pinned)
            && related.workspace.not_held(subject).is_ok()
    })
}

fn application(cut: &RetentionCandidates, policy: RetentionPolicy) -> Application {
    Application {
        channel_id: cut.channel_id,
        action: policy.action,
        cut_off: cut.cut_off,
        days: policy.days.unwrap_or_default(),
        keep_pinned: policy.keep_pinned,
        messages: Vec::new(),
    }
}

/// Records that messages are removed, except those that were removed before.
pub(super) fn apply(retention: &Retention, mut application: Application) -> Vec<RetentionEvent> {
    let action = application.action;
    application.messages.retain(|id| match (retention.gone.get(id), action) {
        (None, RetentionAction::Archive | RetentionAction::Purge) | (Some(RetentionAction::Archive), RetentionAction::Purge) => true,
        (Some(RetentionAction::Archive), RetentionAction::Archive)
        | (Some(RetentionAction::Purge), RetentionAction::Archive | RetentionAction::Purge) => false,
    });
    if application.messages.is_empty() { Vec::new() } else { vec![RetentionEvent::Applied(Box::new(application))] }
}
