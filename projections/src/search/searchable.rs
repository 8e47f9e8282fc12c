//! Which messages can be found, and their properties. They follow from the relational rows. The marks in
//! `search_vector` and the Elasticsearch documents are made from the same columns.

use serde_json::Value;
use uuid::Uuid;

use super::{Property, words};
use crate::relational::messages::MessageRow;

/// The message type of system messages.
const SYSTEM: &str = "system";
/// The message type of shared files.
const FILE: &str = "file";

impl MessageRow {
    /// Whether the message can be found: it is not deleted, and it is not a system message.
    #[must_use]
    pub fn is_searchable(&self) -> bool {
        !self.is_deleted && self.message_type != SYSTEM
    }

    /// Whether the message has this property.
    #[must_use]
    pub fn has(&self, property: &Property) -> bool {
        match property {
            Property::Link => self.refers_to("links"),
            Property::File => self.message_type == FILE || self.refers_to("files"),
            Property::FileNamed { words, is_beginning } => self.has_file_named(words, *is_beginning),
            Property::Reaction => !self.reactions.is_empty(),
            Property::Emoji(emoji) => {
                let sought = emoji.with_skin_tones().iter().map(|form| words::emoji(form)).collect::<Vec<_>>();
                let names = self.reactions.iter().flat_map(|reaction| words::emoji_names(&reaction.emoji));
                names.into_iter().any(|name| sought.contains(&name))
            }
            Property::Pinned => self.is_pinned,
            Property::Thread => self.thread_id.is_some() || self.reply_count > 0,
        }
    }

    /// The users that its text mentions.
    #[must_use]
    pub fn mentioned(&self) -> Vec<Uuid> {
        let mentions = self.formatted_content.as_ref().and_then(|content| content.get("mentions")).and_then(Value::as_array);
        mentions.into_iter().flatten().filter_map(|id| id.as_str()?.parse().ok()).collect()
    }

    /// The emoji of its reactions.
    #[must_use]
    pub fn emoji(&self) -> Vec<&str> {
        self.reactions.iter().map(|reaction| reaction.emoji.as_str()).collect()
    }

    /// Whether the text has references of this kind. An empty list of references is not stored.
    fn refers_to(&self, kind: &str) -> bool {
        self.formatted_content.as_ref().is_some_and(|content| content.get(kind).is_some())
    }
}
