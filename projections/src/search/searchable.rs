//! Which messages can be found, and what they have or are. The relational rows say it; the columns of the full text search
//! (`search_vector`, migrations) and the documents of Elasticsearch are made from the same facts.

use serde_json::Value;
use uuid::Uuid;

use super::Mark;
use crate::relational::messages::MessageRow;

/// The message type of what the system says.
const SYSTEM: &str = "system";
/// The message type of files that somebody shared.
const FILE: &str = "file";

impl MessageRow {
    /// Whether it can be found: it stands, and somebody wrote it.
    #[must_use]
    pub fn is_searchable(&self) -> bool {
        !self.is_deleted && self.message_type != SYSTEM
    }

    /// Whether it has or is that.
    #[must_use]
    pub fn has(&self, mark: &Mark) -> bool {
        match mark {
            Mark::Link => self.refers_to("links"),
            Mark::File => self.message_type == FILE || self.refers_to("files"),
            Mark::FileNamed { words, is_beginning } => self.has_file_named(words, *is_beginning),
            Mark::Reaction => self.reactions.as_object().is_some_and(|reactions| !reactions.is_empty()),
            Mark::Emoji(emoji) => self.reactions.get(emoji).is_some(),
            Mark::Pinned => self.is_pinned,
            Mark::Thread => self.thread_id.is_some() || self.reply_count > 0,
        }
    }

    /// Whom its text mentions.
    #[must_use]
    pub fn mentioned(&self) -> Vec<Uuid> {
        let mentions = self.formatted_content.as_ref().and_then(|content| content.get("mentions")).and_then(Value::as_array);
        mentions.into_iter().flatten().filter_map(|id| id.as_str()?.parse().ok()).collect()
    }

    /// Emoji that somebody reacted with.
    #[must_use]
    pub fn emoji(&self) -> Vec<&str> {
        self.reactions.as_object().into_iter().flat_map(|reactions| reactions.keys().map(String::as_str)).collect()
    }

    /// A kind of reference is left out of what a text refers to where there is none.
    fn refers_to(&self, kind: &str) -> bool {
        self.formatted_content.as_ref().is_some_and(|content| content.get(kind).is_some())
    }
}
