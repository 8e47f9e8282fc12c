//! Legal holds. Data under a hold are neither archived, purged nor erased, whatever a policy or a user requests.

use std::collections::BTreeMap;

use super::Hold;
use super::event::HoldTarget;
use crate::ids::{ChannelId, HoldId, UserId};

/// The data that a command wants to archive, purge or erase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A message.
    Message {
        /// The channel.
        channel_id: ChannelId,
        /// The author. For a system message, the user whom it is about.
        author: UserId,
    },
    /// A user, with all their messages.
    Person {
        /// The user.
        user_id: UserId,
    },
}

/// The holds that cover the subject.
///
/// The messages of a user include those in a held channel. This function does not know which user wrote in which
/// channel, so a hold on a channel covers every user: a late erasure is better than the loss of a held message.
pub fn covering(holds: &BTreeMap<HoldId, Hold>, subject: Subject) -> impl Iterator<Item = HoldId> {
    holds.iter().filter(move |(_, hold)| covers(hold.on, subject)).map(|(hold_id, _)| *hold_id)
}

/// The holds that cover the whole channel, with the messages of all authors.
pub fn covering_channel(holds: &BTreeMap<HoldId, Hold>, channel_id: ChannelId) -> impl Iterator<Item = HoldId> {
    let is_on = move |on: HoldTarget| match on {
        HoldTarget::Workspace {} => true,
        HoldTarget::Channel { channel_id: held } => held == channel_id,
        HoldTarget::Person { .. } => false,
    };
    holds.iter().filter(move |(_, hold)| is_on(hold.on)).map(|(hold_id, _)| *hold_id)
}

fn covers(on: HoldTarget, subject: Subject) -> bool {
    match (on, subject) {
        (HoldTarget::Workspace {}, Subject::Message { .. } | Subject::Person { .. })
        | (HoldTarget::Channel { .. }, Subject::Person { .. }) => true,
        (HoldTarget::Channel { channel_id }, Subject::Message { channel_id: of, .. }) => channel_id == of,
        (HoldTarget::Person { user_id }, Subject::Message { author, .. }) => user_id == author,
        (HoldTarget::Person { user_id }, Subject::Person { user_id: of }) => user_id == of,
    }
}
