//! What searches find a message by: its words and its marks, in `search_vector`.

use std::hash::{DefaultHasher, Hash, Hasher};

use domain::formatting::FormattedContent;
use domain::message::Kind;

use super::record::MessageRecord;
use crate::search::vector::{Indexed, index};
use crate::search::{words, words_of_name};

/// The most bytes of words of file names. More words than that are not found.
const NAMES_BYTES_MAX: usize = 64 * 1024;

impl MessageRecord {
    /// The vector. Deleted messages and messages of the system are found by nothing.
    pub(super) fn index(&self) -> Indexed {
        if self.is_searchable() { index(&self.content, &self.marks()) } else { index("", &[]) }
    }

    /// The vector, if it differs from the stored one.
    pub(super) fn index_if_changed(&self) -> Option<Indexed> {
        (self.indexed != Some(self.fingerprint())).then(|| self.index())
    }

    /// A number that changes when the vector changes. Compared with numbers of the same process only.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.is_searchable().hash(&mut hasher);
        self.content.hash(&mut hasher);
        self.marks().hash(&mut hasher);
        hasher.finish()
    }

    fn is_searchable(&self) -> bool {
        self.deleted.is_none() && self.message_type != Kind::System.as_str()
    }

    /// The other properties that searches ask for. Each mark begins as no word can.
    fn marks(&self) -> Vec<String> {
        let formatted = self.formatted_content.as_deref().and_then(|json| serde_json::from_str::<FormattedContent>(json).ok());
        let formatted = formatted.unwrap_or_default();
        let has_file = !formatted.files.is_empty() || self.message_type == Kind::File.as_str();
        let mut marks = Vec::new();
        for (mark, is_set) in [
            ("#link", !formatted.links.is_empty()),
            ("#file", has_file),
            ("#reaction", !self.reactions.shown.is_empty()),
            ("#pinned", self.pinned.is_some()),
            ("#thread", self.thread_id.is_some() || self.reply_count > 0),
        ] {
            marks.extend(is_set.then(|| mark.to_owned()));
        }
        marks.extend(formatted.mentions.iter().map(|user| format!("@{user}")));
        marks.extend(self.reactions.shown.iter().flat_map(|reaction| words::emoji_names(&reaction.emoji)).map(|emoji| format!(":{emoji}")));
        let mut bytes = 0;
        for word in formatted.files.iter().flat_map(|file| words_of_name(&file.name)) {
            bytes += word.len();
            if bytes > NAMES_BYTES_MAX {
                break;
            }
            marks.push(format!("/{word}"));
        }
        marks
    }
}
