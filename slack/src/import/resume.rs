//! Finds the parts of an import that are missing when some exist already: an earlier run was interrupted, another run
//! is active, or people went on meanwhile.
//!
//! Later changes by people stay: nothing that they removed is added again.

use std::collections::HashSet;

use domain::ids::{ChannelId, MessageId, WorkspaceId};
use domain::{AggregateType, Channel, ChannelEvent, Event, Message, MessageEvent, StreamId, Workspace, WorkspaceEvent};

use super::sink::Sink;
use commands::event_store::{ClaimChange, PendingEvent, StoreError, StreamWrite};

/// Whether a stream at this version holds all events of a write.
pub(super) fn is_there(write: &StreamWrite, version: i64) -> bool {
    version >= write.expected + i64::try_from(write.events.len()).unwrap_or(i64::MAX)
}

/// The missing events, behind the existing ones.
pub(super) async fn missing<S: Sink>(sink: &S, write: StreamWrite) -> Result<StreamWrite, StoreError> {
    let StreamWrite { stream, workspace_id, expected: _, caused_by, mut events } = write;
    let expected = match stream.aggregate {
        AggregateType::User => {
            let version = sink.versions(&[stream]).await?.get(&stream).copied().unwrap_or(0);
            if version > 0 {
                events.clear();
            }
            version
        }
        AggregateType::Workspace => {
            let (workspace, version) = sink.workspace(WorkspaceId(stream.id)).await?;
            retain_of_workspace(&workspace, &mut events);
            version
        }
        AggregateType::Channel => {
            let (channel, version) = sink.channel(ChannelId(stream.id)).await?;
            events.retain(|pending| is_new_to_channel(&channel, &pending.event));
            version
        }
        // An import writes no events of these.
        AggregateType::Installation | AggregateType::Retention => {
            events.clear();
            sink.versions(&[stream]).await?.get(&stream).copied().unwrap_or(0)
        }
        AggregateType::Message => {
            let (message, version) = sink.message(MessageId(stream.id)).await?;
            events.retain(|pending| is_new_to_message(&message, &pending.event));
            version
        }
        // An export has none of these.
        AggregateType::Session | AggregateType::Audit => 0,
    };
    Ok(StreamWrite { stream, workspace_id, expected, caused_by, events })
}

/// The rest of a batch that could not be appended as it was made.
pub(super) async fn still_missing<S: Sink>(
    sink: &S,
    writes: Vec<StreamWrite>,
    claims: Vec<ClaimChange>,
) -> Result<(Vec<StreamWrite>, Vec<ClaimChange>), StoreError> {
    let streams = writes.iter().map(|write| write.stream).collect::<Vec<StreamId>>();
    let versions = sink.versions(&streams).await?;
    let mut left = Vec::with_capacity(writes.len());
    for write in writes {
        let version = versions.get(&write.stream).copied().unwrap_or(0);
        if version == write.expected {
            left.push(write);
        } else {
            let write = missing(sink, write).await?;
            left.extend((!write.events.is_empty()).then_some(write));
        }
    }
    let held = sink.holders(&claims.iter().map(|change| change.claim().clone()).collect::<Vec<_>>()).await?;
    let claims = claims.into_iter().filter(|change| match change {
        ClaimChange::Take(claim, by) => held.get(claim) != Some(by),
        ClaimChange::Release(_) => true,
    });
    Ok((left, claims.collect()))
}

/// A member joins once, and is deactivated only right after that.
fn retain_of_workspace(workspace: &Workspace, events: &mut Vec<PendingEvent>) {
    let mut let_in = HashSet::new();
    events.retain(|pending| match &pending.event {
        Event::Workspace(WorkspaceEvent::MemberJoined { user_id, .. }) => {
            !workspace.members.contains_key(user_id) && let_in.insert(*user_id)
        }
        Event::Workspace(WorkspaceEvent::MemberDeactivated { user_id }) => let_in.contains(user_id),
        Event::Workspace(WorkspaceEvent::EmojiAdded { name, .. }) => !workspace.emojis.contains(name),
        _ => true,
    });
}

fn is_new_to_channel(channel: &Channel, event: &Event) -> bool {
    let said = |what: fn(&domain::channel::Creation) -> bool| channel.creation.as_ref().is_some_and(what);
    match event {
        Event::Channel(ChannelEvent::Created(_)) => !channel.exists(),
        Event::Channel(ChannelEvent::MemberJoined { user_id, .. }) => !channel.has_member(*user_id),
        Event::Channel(ChannelEvent::TopicChanged { .. }) => !said(|c| c.topic.is_some()),
        Event::Channel(ChannelEvent::PurposeChanged { .. }) => !said(|c| c.purpose.is_some()),
        Event::Channel(ChannelEvent::Archived { .. }) => !channel.archived,
        _ => true,
    }
}

fn is_new_to_message(message: &Message, event: &Event) -> bool {
    match event {
        Event::Message(MessageEvent::Posted(_)) => message.posting.is_none(),
        _ if message.deleted => false,
        Event::Message(MessageEvent::Reacted { user_id, emoji }) => {
            !message.reactions.get(emoji).is_some_and(|users| users.contains(user_id))
        }
        Event::Message(MessageEvent::Pinned { .. }) => !message.pinned,
        // An edit of the export is the first edit: if there is one, it is this one, or somebody edited it here.
        Event::Message(MessageEvent::Edited { content, .. }) => {
            message.edits == 0 && message.posting.as_ref().is_none_or(|posting| posting.content != *content)
        }
        _ => true,
    }
}
