//! The system messages that report events of a channel.

use crate::channel::ChannelEvent;
use crate::formatting::FormattedContent;
use crate::ids::UserId;
use crate::text::MessageBody;

/// The system message that reports an event: the user whom it is about, its text, and the references in it. `None` if
/// the event has no system message.
///
/// The first members of a channel join by events too. The code that creates the channel posts no system messages for
/// them.
#[must_use]
pub fn system_message(event: &ChannelEvent, actor: UserId) -> Option<(UserId, MessageBody, FormattedContent)> {
    let (about, text) = match event {
        ChannelEvent::MemberJoined { user_id, invited_by: None, .. } => (*user_id, format!("<@{user_id}> joined the channel")),
        ChannelEvent::MemberJoined { user_id, invited_by: Some(by), .. } => (*user_id, format!("<@{by}> added <@{user_id}>")),
        ChannelEvent::MemberLeft { user_id } => (*user_id, format!("<@{user_id}> left the channel")),
        ChannelEvent::MemberRemoved { user_id, removed_by } => (*user_id, format!("<@{removed_by}> removed <@{user_id}>")),
        ChannelEvent::Renamed { name, .. } => (actor, format!("<@{actor}> renamed the channel to {name}")),
        ChannelEvent::TopicChanged { topic: Some(topic) } => (actor, format!("<@{actor}> set the topic: {topic}")),
        ChannelEvent::TopicChanged { topic: None } => (actor, format!("<@{actor}> cleared the topic")),
        ChannelEvent::Created(_)
        | ChannelEvent::PurposeChanged { .. }
        | ChannelEvent::DescriptionChanged { .. }
        | ChannelEvent::SettingsChanged(_)
        | ChannelEvent::MemberRoleChanged { .. }
        | ChannelEvent::NotificationLevelChanged { .. }
        | ChannelEvent::Archived { .. }
        | ChannelEvent::Unarchived { .. } => return None,
    };
    let content = MessageBody::cut(&text);
    let formatted = quiet(content.as_str(), event);
    Some((about, content, formatted))
}

/// The references in the text. A topic is quoted in it, and mentions in a quotation notify nobody.
fn quiet(text: &str, event: &ChannelEvent) -> FormattedContent {
    let mut formatted = FormattedContent::of(text);
    if matches!(event, ChannelEvent::TopicChanged { .. }) {
        // The first mention is the user who set the topic.
        formatted.mentions.truncate(1);
        formatted.broadcasts.clear();
    }
    formatted
}
