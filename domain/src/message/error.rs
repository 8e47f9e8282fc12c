//! The refusals of message commands. A refusal because of the channel or the workspace has the same code as there.

use crate::ids::HoldId;
use crate::refusal::refusals;

refusals! {
    /// The refusals of message commands.
    MessageRefusal {
        PostedAlready = "message.posted_already" Conflict "this message was posted already",
        NotFound = "message.not_found" NotFound "there is no such message",
        Deleted = "message.deleted" Conflict "this message was deleted",
        ChannelNotFound = "channel.not_found" NotFound "there is no such channel",
        ChannelArchived = "channel.archived" Conflict "this channel is archived: unarchive it first",
        ConversationReadOnly = "channel.conversation_read_only" Conflict
            "nobody else in this conversation is in the workspace any more: it can be read, and begin another one to write",
        NotAChannelMember = "channel.not_a_member" Forbidden "not a member of this channel: join it, or be added, first",
        NotAWorkspaceMember = "workspace.not_a_member" Forbidden "not an active member of this workspace",
        ThreadNotFound = "message.thread_not_found" NotFound "there is no such message in this channel to answer in a thread",
        ThreadNested = "message.thread_nested" Invalid("thread_id")
            "an answer in a thread cannot have a thread of its own: answer the message that the thread began with",
        ThreadOnSystemMessage = "message.thread_on_system_message" Conflict "a system message cannot be answered in a thread",
        ThreadsDisabled = "channel.threads_disabled" Conflict "threads are switched off in this channel: answer without one",
        NotTheAuthor = "message.not_the_author" Forbidden "only the author may do that",
        SystemMessageStays = "message.system_message_stays" Conflict "a system message cannot be edited",
        TooManyEdits(max: usize) = "message.too_many_edits" Conflict
            "this message was edited {0} times, which is the most, because every earlier text is kept: post another message",
        EditWindowClosed = "message.edit_window_closed" Conflict
            "in this workspace a message can be edited for a limited time only, and that time is over",
        NotAnEmoji = "message.not_an_emoji" Invalid("emoji")
            "a reaction is an emoji, its short name such as :tada:, or the name of an emoji of the workspace: the text is none of these",
        TooManyReactions = "message.too_many_reactions" Conflict
            "this message has 50 different emojis, which is the most: choose one that is there",
        Archived = "message.retained" NotFound
            "the retention policy has removed this message from its channel, so it cannot be changed: if it was kept, the retained messages of the channel have it",
        Held(hold: HoldId) = "workspace.held" Conflict
            "the legal hold {0} covers this: nothing of it is archived, purged or erased until the hold is released",
    }
}
