//! Which messages leave, without async, clock or framework.

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

/// What is asked of a channel: these threads are said to be old enough.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    /// The channel.
    pub channel_id: ChannelId,
    /// They were all sent before this moment.
    pub cut_off: DateTime<Utc>,
    /// Each a message with all its answers: it leaves whole, or not at all.
    pub threads: Vec<Vec<MessageId>>,
}

/// What a cut rests on.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The workspace.
    pub workspace: Arc<Workspace>,
    /// The channel.
    pub channel: Arc<Channel>,
    /// The messages that are named.
    pub messages: BTreeMap<MessageId, Arc<Message>>,
}

/// Those of the named threads that leave, by the stream that says so: a thread of which one message is too young, is pinned where pinned ones
/// stay, or is held, stays whole.
///
/// # Errors
/// The whole channel stays: it is held, or no policy says that anything leaves.
pub fn cut(around: &Surroundings, context: &Context, cut: &Cut) -> Result<BTreeMap<RetentionId, Application>, RetentionRefusal> {
    let policy = policy_here(around, context, cut)?;
    let mut applications = BTreeMap::new();
    for thread in cut.threads.iter().filter(|thread| leaves(around, cut, policy, thread)) {
        for id in thread {
            if let Some(posting) = around.messages.get(id).and_then(|message| message.posting.as_ref()) {
                let stream = RetentionId::of(cut.channel_id, posting.sent_at);
                applications.entry(stream).or_insert_with(|| application(cut, policy)).messages.push(*id);
            }
        }
    }
    Ok(applications)
}

/// The policy, where it lets messages go that were sent before the cut-off, and no hold is on the whole channel.
fn policy_here(around: &Surroundings, context: &Context, cut: &Cut) -> Result<RetentionPolicy, RetentionRefusal> {
    if !around.channel.exists() {
        return Err(RetentionRefusal::ChannelNotFound);
    }
    let policy = policy_of(around.workspace.settings.retention_policy, around.channel.settings.retention_policy);
    let allowed = policy.cut_off(context.at).ok_or(RetentionRefusal::KeptForEver)?;
    if cut.cut_off > allowed {
        return Err(RetentionRefusal::CutOffTooLate);
    }
    match workspace::covering_channel(&around.workspace.holds, cut.channel_id).next() {
        Some(hold_id) => Err(RetentionRefusal::Held(hold_id)),
        None => Ok(policy),
    }
}

fn leaves(around: &Surroundings, cut: &Cut, policy: RetentionPolicy, thread: &[MessageId]) -> bool {
    let Some(first) = thread.first() else { return false };
    thread.iter().all(|id| {
        let Some(message) = around.messages.get(id) else { return false };
        let Some(posting) = &message.posting else { return false };
        let subject = Subject::Message { channel_id: cut.channel_id, author: posting.author };
        posting.channel_id == cut.channel_id
            && posting.sent_at < cut.cut_off
            && (id == first || posting.thread_id == Some(*first))
            && !(policy.keep_pinned && message.pinned)
            && around.workspace.not_held(subject).is_ok()
    })
}

fn application(cut: &Cut, policy: RetentionPolicy) -> Application {
    Application {
        channel_id: cut.channel_id,
        action: policy.action,
        cut_off: cut.cut_off,
        days: policy.days.unwrap_or_default(),
        keep_pinned: policy.keep_pinned,
        messages: Vec::new(),
    }
}

/// Notes that messages leave, but those that left before.
pub(super) fn apply(retention: &Retention, mut application: Application) -> Vec<RetentionEvent> {
    let action = application.action;
    application.messages.retain(|id| match (retention.gone.get(id), action) {
        (None, RetentionAction::Archive | RetentionAction::Purge) | (Some(RetentionAction::Archive), RetentionAction::Purge) => true,
        (Some(RetentionAction::Archive), RetentionAction::Archive)
        | (Some(RetentionAction::Purge), RetentionAction::Archive | RetentionAction::Purge) => false,
    });
    if application.messages.is_empty() { Vec::new() } else { vec![RetentionEvent::Applied(Box::new(application))] }
}
