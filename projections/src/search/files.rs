//! Finds files by their names. A file is found through the messages that contain it, so only by callers that may read
//! them. A search for files is a search for messages whose files have matching names.

use domain::formatting::FileLink;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::words::{folded, plain};
use super::{Fragment, MessageQuery, Property, Requirement, Text, TextTerm, highlight};
use crate::relational::messages::MessageRow;

/// The longest indexed word of a name, in bytes.
const WORD_BYTES_MAX: usize = 255;

/// A file of a message that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FoundFile {
    /// Its name.
    pub name: String,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its media type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Its size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Passages of its name that match. Each is a list of pieces.
    pub highlights: Vec<Vec<Fragment>>,
}

impl MessageQuery {
    /// The same query on the names of files: its words, phrases and prefixes must match file names, and not the text.
    /// The words of a phrase may stand anywhere in a name.
    #[must_use]
    pub fn of_file_names(mut self) -> Self {
        let named = std::mem::take(&mut self.text).into_iter().map(|TextTerm { text, wanted }| {
            let is_beginning = matches!(text, Text::Prefix(_));
            (Property::FileNamed { words: text.into_words(), is_beginning }, wanted)
        });
        self.properties.extend(named);
        self.properties.push((Property::File, Requirement::Must));
        self
    }

    /// The files of a message whose names match, or all of them if no single one matches.
    #[must_use]
    pub fn files_of(&self, message: &MessageRow) -> Vec<FoundFile> {
        let sought = self.sought_in_names();
        let is_called_so = |file: &FoundFile| {
            let name = words_of_name(&file.name);
            self.names().all(|(words, is_beginning)| has_words(&name, words, is_beginning))
        };
        let files = message.files().into_iter().map(|file| FoundFile {
            highlights: highlight(&file.name, &sought),
            name: file.name,
            url: file.url,
            mime_type: file.mime_type,
            size: file.size,
        });
        let files = files.collect::<Vec<_>>();
        if files.iter().any(is_called_so) { files.into_iter().filter(is_called_so).collect() } else { files }
    }

    /// The words that the names must contain, each with whether the last one is a prefix.
    fn names(&self) -> impl Iterator<Item = (&[String], bool)> {
        self.properties.iter().filter_map(|(property, wanted)| match (property, wanted) {
            (Property::FileNamed { words, is_beginning }, Requirement::Must) => Some((words.as_slice(), *is_beginning)),
            _ => None,
        })
    }

    /// The terms that the names must contain, one word each.
    fn sought_in_names(&self) -> Vec<TextTerm> {
        let mut sought = Vec::new();
        for (words, is_beginning) in self.names() {
            for (n, word) in words.iter().enumerate() {
                let word = vec![word.clone()];
                let text = if is_beginning && n + 1 == words.len() { Text::Prefix(word) } else { Text::Exact(word) };
                sought.push(TextTerm { text, wanted: Requirement::Must });
            }
        }
        sought
    }
}

impl MessageRow {
    /// The message's files.
    pub(super) fn files(&self) -> Vec<FileLink> {
        let files = self.formatted_content.as_ref().and_then(|content| content.get("files")).and_then(Value::as_array);
        files.into_iter().flatten().filter_map(|file| serde_json::from_value(file.clone()).ok()).collect()
    }

    /// Whether the names of its files contain these words.
    pub(super) fn has_file_named(&self, sought: &[String], is_beginning: bool) -> bool {
        let names = self.files().iter().flat_map(|file| words_of_name(&file.name)).collect::<Vec<_>>();
        has_words(&names, sought, is_beginning)
    }
}

/// The indexed words of a file's name: the folded words, and those without accents that differ.
pub(crate) fn words_of_name(name: &str) -> Vec<String> {
    let mut found = folded(name);
    let plain = found.iter().map(|word| plain(word).into_owned()).filter(|plain| !found.contains(plain)).collect::<Vec<_>>();
    found.extend(plain);
    found.retain(|word| word.len() <= WORD_BYTES_MAX);
    found
}

/// Whether a name contains all of these words. The last one may be a prefix.
fn has_words(name: &[String], sought: &[String], is_beginning: bool) -> bool {
    let is_there = |(n, word): (usize, &String)| {
        let may_go_on = is_beginning && n + 1 == sought.len();
        name.iter().any(|found| found == word || (may_go_on && found.starts_with(word.as_str())))
    };
    sought.iter().enumerate().all(is_there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_name_are_also_there_without_accents() {
        assert_eq!(words_of_name("Résumé_2.pdf"), ["résumé", "2", "pdf", "resume"]);
    }

    #[test]
    fn long_words_of_a_name_are_left_out() {
        let long = "a".repeat(WORD_BYTES_MAX + 1);
        assert_eq!(words_of_name(&format!("Plan_2.{long} {}", &long[1..])), ["plan".to_owned(), "2".to_owned(), long[1..].to_owned()]);
    }
}
