//! The rules of messages: pure functions, one for each command, without async, clock or framework.

use chrono::TimeDelta;

use super::{Kind, Message, MessageEvent, MessageRefusal, Moment, NewMessage, Posting, RelatedAggregates};
use crate::context::Context;
use crate::formatting::FormattedContent;
use crate::ids::{ChannelId, UserId, WorkspaceId};
use crate::permission::Permission;
use crate::retention_policy::RetentionAction;
use crate::text::{Emoji, MessageBody, Reason};
use crate::workspace::{self, Subject, Workspace};

type Decision = Result<Vec<MessageEvent>, MessageRefusal>;

/// How many different emojis a message can have.
pub const EMOJIS_MAX: usize = 50;
/// How often a message can be edited. The limit is needed because every edit writes all earlier texts again.
pub(super) const EDITS_MAX: usize = 200;

/// Posts the message. The actor is its author.
pub(super) fn post(message: &Message, related: &RelatedAggregates, context: &Context, new: NewMessage) -> Decision {
    if message.posting.is_some() {
        return Err(MessageRefusal::PostedAlready);
    }
    let (workspace_id, channel_id) = place(related)?;
    may_post(related, context)?;
    thread_fits(related, channel_id, &new)?;
    let NewMessage { message_id: _, content, thread_id, client_msg_id, sent_at } = new;
    let formatted = formatted(&related.workspace, &content);
    let kind = Kind::Text;
    let posting = Posting {
        workspace_id,
        channel_id,
        author: context.actor,
        kind,
        content,
        formatted,
        thread_id,
        client_msg_id,
        sent_at,
        moment: Moment::Recorded,
        edited_at: None,
        erased: false,
    };
    Ok(vec![MessageEvent::Posted(Box::new(posting))])
}

/// Checks the conditions that do not depend on the message: the channel, and the actor's memberships.
pub(super) fn may_post(related: &RelatedAggregates, context: &Context) -> Result<(), MessageRefusal> {
    not_archived(related)?;
    participates(related, context)?;
    not_alone_in_conversation(related, context)
}

/// Edits the actor's own message, while the workspace's edit window is open.
pub(super) fn edit(message: &Message, related: &RelatedAggregates, context: &Context, content: MessageBody) -> Decision {
    let posting = existing(message, related)?;
    if posting.kind == Kind::System {
        return Err(MessageRefusal::SystemMessageStays);
    }
    if posting.author != context.actor {
        return Err(MessageRefusal::NotTheAuthor);
    }
    may_post(related, context)?;
    within_edit_window(posting, &related.workspace, context)?;
    if posting.content == content {
        return Ok(vec![]);
    }
    if message.edits >= EDITS_MAX {
        return Err(MessageRefusal::TooManyEdits(EDITS_MAX));
    }
    // Files and the bot's name are not in the text, so an edit keeps them.
    let FormattedContent { files, bot_name, .. } = posting.formatted.clone();
    let formatted = FormattedContent { files, bot_name, ..formatted(&related.workspace, &content) };
    Ok(vec![MessageEvent::Edited { content, formatted, by: context.actor, erased: false }])
}

/// Deletes the message. The author may do so, and so may a member with the permission to delete any message. Deleting a
/// deleted message changes nothing.
pub(super) fn delete(message: &Message, related: &RelatedAggregates, context: &Context) -> Decision {
    let posting = once_posted(message, related)?;
    not_archived(related)?;
    let own = posting.kind != Kind::System && posting.author == context.actor;
    if !own && !related.workspace.allows(context.actor, Permission::MessageDeleteAny) {
        return Err(MessageRefusal::NotTheAuthor);
    }
    if message.deleted { Ok(vec![]) } else { Ok(vec![MessageEvent::Deleted { by: context.actor }]) }
}

/// Pins the message to its channel. Pinning a pinned message changes nothing.
pub(super) fn pin(message: &Message, related: &RelatedAggregates, context: &Context) -> Decision {
    accepts_pins_and_reactions(message, related, context)?;
    if message.pinned { Ok(vec![]) } else { Ok(vec![MessageEvent::Pinned { by: context.actor }]) }
}

/// Unpins the message. Unpinning a message that is not pinned changes nothing.
pub(super) fn unpin(message: &Message, related: &RelatedAggregates, context: &Context) -> Decision {
    accepts_pins_and_reactions(message, related, context)?;
    if message.pinned { Ok(vec![MessageEvent::Unpinned { by: context.actor }]) } else { Ok(vec![]) }
}

/// Adds the actor's reaction. A reaction that is there already stays, and nothing changes.
pub(super) fn react(message: &Message, related: &RelatedAggregates, context: &Context, emoji: Emoji) -> Decision {
    accepts_pins_and_reactions(message, related, context)?;
    match message.reactions.get(&emoji) {
        Some(users) if users.contains(&context.actor) => Ok(vec![]),
        // A name that nobody gave to an emoji could be the name of a person, and would stay in the log for ever.
        None if !related.workspace.has_emoji(&emoji) => Err(MessageRefusal::NotAnEmoji),
        None if message.reactions.len() >= EMOJIS_MAX => Err(MessageRefusal::TooManyReactions),
        Some(_) | None => Ok(vec![MessageEvent::Reacted { user_id: context.actor, emoji }]),
    }
}

/// Removes the actor's reaction. If there is none, nothing changes.
pub(super) fn remove_reaction(message: &Message, related: &RelatedAggregates, context: &Context, emoji: Emoji) -> Decision {
    accepts_pins_and_reactions(message, related, context)?;
    if !message.reactions.get(&emoji).is_some_and(|users| users.contains(&context.actor)) {
        return Ok(vec![]);
    }
    Ok(vec![MessageEvent::ReactionRemoved { user_id: context.actor, emoji }])
}

/// Purges the message for legal reasons. It may be deleted, archived, or in an archived channel. Only a legal hold
/// prevents it. Purging a purged message changes nothing, and the first reason stays.
pub(super) fn purge(message: &Message, related: &RelatedAggregates, context: &Context, reason: Reason) -> Decision {
    let posting = message.posting.as_ref().ok_or(MessageRefusal::NotFound)?;
    if message.purged || related.gone == Some(RetentionAction::Purge) {
        return Ok(vec![]);
    }
    let subject = Subject::Message { channel_id: posting.channel_id, author: posting.author };
    if let Some(hold_id) = workspace::covering(&related.workspace.holds, subject).next() {
        return Err(MessageRefusal::Held(hold_id));
    }
    Ok(vec![MessageEvent::Purged { by: context.actor, reason }])
}

fn existing<'a>(message: &'a Message, related: &RelatedAggregates) -> Result<&'a Posting, MessageRefusal> {
    let posting = once_posted(message, related)?;
    if message.deleted { Err(MessageRefusal::Deleted) } else { Ok(posting) }
}

/// The posting of a message that may be deleted.
fn once_posted<'a>(message: &'a Message, related: &RelatedAggregates) -> Result<&'a Posting, MessageRefusal> {
    let posting = message.posting.as_ref().ok_or(MessageRefusal::NotFound)?;
    if related.gone.is_some() { Err(MessageRefusal::Archived) } else { Ok(posting) }
}

/// The conditions that pins and reactions share.
fn accepts_pins_and_reactions(message: &Message, related: &RelatedAggregates, context: &Context) -> Result<(), MessageRefusal> {
    existing(message, related)?;
    may_post(related, context)
}

fn place(related: &RelatedAggregates) -> Result<(WorkspaceId, ChannelId), MessageRefusal> {
    let creation = related.channel.creation.as_ref().ok_or(MessageRefusal::ChannelNotFound)?;
    let channel_id = related.channel_id.ok_or(MessageRefusal::ChannelNotFound)?;
    Ok((creation.workspace_id, channel_id))
}

fn not_archived(related: &RelatedAggregates) -> Result<(), MessageRefusal> {
    if related.channel.archived { Err(MessageRefusal::ChannelArchived) } else { Ok(()) }
}

/// Checks both memberships, because a deactivated member of the workspace stays a member of its channels.
fn participates(related: &RelatedAggregates, context: &Context) -> Result<(), MessageRefusal> {
    if related.workspace.active_member(context.actor).is_none() {
        return Err(MessageRefusal::NotAWorkspaceMember);
    }
    if !related.channel.has_member(context.actor) {
        return Err(MessageRefusal::NotAChannelMember);
    }
    Ok(())
}

/// A conversation of several people is read-only for the last one who is still in the workspace. Their own messages can
/// still be deleted.
fn not_alone_in_conversation(related: &RelatedAggregates, context: &Context) -> Result<(), MessageRefusal> {
    let members = &related.channel.members;
    let is_conversation = related.channel.creation.as_ref().is_some_and(|creation| creation.kind.is_direct()) && members.len() > 1;
    let is_other = |user_id: &UserId| *user_id != context.actor && related.workspace.active_member(*user_id).is_some();
    if is_conversation && !members.keys().any(is_other) {
        return Err(MessageRefusal::ConversationReadOnly);
    }
    Ok(())
}

fn thread_fits(related: &RelatedAggregates, channel_id: ChannelId, new: &NewMessage) -> Result<(), MessageRefusal> {
    let parent = match (new.thread_id, &related.parent) {
        (None, None) => return Ok(()),
        (Some(_), Some(parent)) => parent,
        (Some(_), None) | (None, Some(_)) => return Err(MessageRefusal::ThreadNotFound),
    };
    if related.gone.is_some() {
        return Err(MessageRefusal::Archived);
    }
    let root = parent.posting.as_ref().ok_or(MessageRefusal::ThreadNotFound)?;
    if parent.deleted && !is_answer(related.earlier_answer.as_deref(), new) {
        return Err(MessageRefusal::ThreadNotFound);
    }
    if root.channel_id != channel_id {
        return Err(MessageRefusal::ThreadNotFound);
    }
    if root.thread_id.is_some() {
        return Err(MessageRefusal::ThreadNested);
    }
    if root.kind == Kind::System {
        return Err(MessageRefusal::ThreadOnSystemMessage);
    }
    if related.channel.settings.allow_threads { Ok(()) } else { Err(MessageRefusal::ThreadsDisabled) }
}

/// Whether the earlier message is in the same thread as the new one, and stands.
fn is_answer(earlier: Option<&Message>, new: &NewMessage) -> bool {
    let posting = earlier.filter(|earlier| earlier.exists()).and_then(|earlier| earlier.posting.as_ref());
    posting.is_some_and(|posting| posting.thread_id.is_some() && posting.thread_id == new.thread_id)
}

/// The references in the text. A mention of a user outside the workspace is left out.
fn formatted(workspace: &Workspace, content: &MessageBody) -> FormattedContent {
    let mut formatted = FormattedContent::of(content.as_str());
    formatted.mentions.retain(|user_id| workspace.active_member(*user_id).is_some());
    formatted
}

fn within_edit_window(posting: &Posting, workspace: &Workspace, context: &Context) -> Result<(), MessageRefusal> {
    let window = workspace.settings.edit_window_minutes.map(|minutes| TimeDelta::minutes(i64::from(minutes)));
    let closed = window.is_some_and(|window| context.at - posting.sent_at > window);
    if closed { Err(MessageRefusal::EditWindowClosed) } else { Ok(()) }
}
