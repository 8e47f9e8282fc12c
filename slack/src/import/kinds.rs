//! The kind of a message, by its subtype: <https://docs.slack.dev/reference/events/message#subtypes>.

use domain::message::Kind;

use super::model::{SlackMessage, some};

/// Subtypes for changes of channels. Each occurs with `channel_` before it, and with `group_` for a private channel.
#[rustfmt::skip]
const OF_A_CHANNEL: &[&str] = &[
    "join", "leave", "topic", "purpose", "name", "archive", "unarchive", "open", "close", "convert_to_private", "convert_to_public",
    "posting_permissions", "canvas_updated",
];

/// Other subtypes of system messages.
#[rustfmt::skip]
const OF_THE_SYSTEM: &[&str] = &[
    "pinned_item", "unpinned_item", "bot_add", "bot_remove", "bot_enable", "bot_disable", "service_add", "service_remove",
    "app_conversation_join", "app_conversation_leave", "reminder_add", "reminder_delete", "sh_room_created", "sh_room_shared",
    "huddle_thread", "joiner_notification", "joiner_notification_for_inviter", "tabbed_canvas_updated", "ekm_access_denied",
];

/// The kind, and a note for the report if the message becomes something else.
pub(super) fn kind(message: &SlackMessage) -> (Kind, Option<&'static str>) {
    let has_files = message.file.is_some() || !message.files.is_empty();
    match message.subtype.as_deref().unwrap_or_default() {
        "" if message.bot_id.as_ref().is_some_and(|id| !id.is_empty()) => (Kind::Bot, None),
        "" if has_files => (Kind::File, None),
        "" => (Kind::Text, None),
        "bot_message" | "slackbot_response" | "assistant_app_thread" => (Kind::Bot, None),
        "file_share" => (Kind::File, None),
        "thread_broadcast" | "reply_broadcast" => (Kind::Text, Some("reply that was shown in the channel too into a reply")),
        "me_message" => (Kind::Text, Some("/me message into a text in italics")),
        "file_comment" | "file_mention" => (Kind::Text, Some("comment on a file into a message")),
        "tombstone" => (Kind::Text, Some("remains of a deleted message into a deleted message")),
        subtype if is_of_the_system(subtype) => (Kind::System, None),
        _ if has_files => (Kind::File, Some("message of an unknown subtype into one with files")),
        _ => (Kind::Text, Some("message of an unknown subtype into a text")),
    }
}

/// Whether the message is a system message that nobody wrote.
pub(super) fn is_of_the_system(subtype: &str) -> bool {
    let of_a_channel = subtype.strip_prefix("channel_").or_else(|| subtype.strip_prefix("group_"));
    of_a_channel.is_some_and(|what| OF_A_CHANNEL.contains(&what)) || OF_THE_SYSTEM.contains(&subtype)
}

/// Whether the message was deleted in Slack, so that only its place is left.
pub(super) fn is_tombstone(message: &SlackMessage) -> bool {
    message.subtype.as_deref() == Some("tombstone")
}

/// Puts a /me message in italics.
pub(super) fn in_italics(message: &mut SlackMessage) {
    if message.subtype.as_deref() == Some("me_message")
        && let Some(text) = some(message.text.as_ref())
    {
        message.text = Some(format!("_{text}_"));
    }
}
