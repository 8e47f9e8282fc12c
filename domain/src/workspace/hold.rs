//! Legal holds: while one covers something, nothing of it is archived, purged or erased, whatever a policy or a person says.

use std::collections::BTreeMap;

use super::Hold;
use super::event::HoldTarget;
use crate::ids::{ChannelId, HoldId, UserId};

/// What is to be archived, purged or erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A message.
    Message {
        /// Where it is.
        channel_id: ChannelId,
        /// Who wrote it; for a system message, whom it is about.
        author: UserId,
    },
    /// A person, with all that they wrote.
    Person {
        /// Who.
        user_id: UserId,
    },
}

/// Those of the holds that cover it.
///
/// Everything that a person wrote includes what they wrote in a channel that is held. Who wrote where is not known here, so a hold on a
/// channel covers every person: better one erasure too late than a held message lost.
pub fn covering(holds: &BTreeMap<HoldId, Hold>, subject: Subject) -> impl Iterator<Item = HoldId> {
    holds.iter().filter(move |(_, hold)| covers(hold.on, subject)).map(|(hold_id, _)| *hold_id)
}

/// Those of the holds that are on the whole channel, whoever wrote in it.
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
