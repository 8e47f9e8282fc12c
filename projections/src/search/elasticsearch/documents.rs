//! A document is made from a row of the read tables, and from nothing else. Its version is the position at which the
//! row was read. So an older document never replaces a newer one, however often and by whichever process it is written.

use std::collections::BTreeSet;

use chrono::{DateTime, Timelike, Utc};
use domain::formatting::FormattedContent;
use domain::message::Kind;
use serde::Serialize;
use shapes::Reaction;
use uuid::Uuid;

use crate::search::{files, names, words};

/// The kind of indices that a document belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    /// A document for each message.
    Messages,
    /// A document for each member of a workspace.
    Users,
}

impl Family {
    pub(crate) const ALL: [Family; 2] = [Self::Messages, Self::Users];

    /// The name of the family's indices.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Users => "users",
        }
    }
}

/// A document, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) family: Family,
    pub(crate) id: String,
    pub(crate) workspace_id: Uuid,
    /// The time of the row: some indices are by month.
    pub(crate) moment: DateTime<Utc>,
    /// The position of the relational projection at which the row was read.
    pub(crate) version: i64,
    /// A checksum of the source, to compare documents.
    pub(crate) checksum: i64,
    /// The JSON, on one line.
    pub(crate) source: Vec<u8>,
}

/// A row of `messages`, with the names that its document contains.
#[derive(Debug)]
pub(super) struct MessageRow {
    pub(super) version: Option<i64>,
    pub(super) message_id: Uuid,
    pub(super) workspace_id: Uuid,
    pub(super) channel_id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) username: String,
    pub(super) display_name: String,
    pub(super) content: String,
    pub(super) message_type: String,
    pub(super) thread_id: Option<Uuid>,
    pub(super) formatted_content: Option<String>,
    pub(super) reactions: String,
    pub(super) reply_count: i32,
    pub(super) is_pinned: bool,
    pub(super) is_deleted: bool,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) position: i64,
    pub(super) channel_name: Option<String>,
}

/// A row of `workspace_members`, with the user.
#[derive(Debug)]
pub(super) struct MemberRow {
    pub(super) version: Option<i64>,
    pub(super) member_id: Uuid,
    pub(super) workspace_id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) username: String,
    pub(super) display_name: String,
    pub(super) email: String,
    pub(super) title: Option<String>,
    pub(super) department: Option<String>,
    pub(super) bio: Option<String>,
    pub(super) status: String,
    pub(super) last_seen_at: Option<DateTime<Utc>>,
    pub(super) role: String,
    pub(super) is_bot: bool,
    pub(super) position: i64,
}

/// The seed's message, and the fields that searches also need. A deleted message stays as a document without its text
/// that no search finds. If it were removed, Elasticsearch would forget its version after a minute, and an older write
/// could bring it back.
#[derive(Serialize)]
struct MessageSource<'a> {
    message_id: Uuid,
    workspace_id: Uuid,
    channel_id: Uuid,
    user_id: Uuid,
    username: &'a str,
    display_name: &'a str,
    content: &'a str,
    /// The folded words of the text, separated by spaces.
    words: String,
    /// Their stems.
    stems: String,
    /// Their plain forms, if one of them differs from the folded word.
    #[serde(skip_serializing_if = "Option::is_none")]
    plain: Option<String>,
    message_type: &'a str,
    thread_id: Option<Uuid>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    mentions: Vec<Uuid>,
    channel_name: Option<&'a str>,
    has_files: bool,
    /// The words of the files' names.
    file_words: Vec<String>,
    reaction_count: i64,
    has_links: bool,
    is_pinned: bool,
    is_deleted: bool,
    reply_count: i32,
    /// The names of the reactions' emoji.
    reactions: Vec<String>,
    /// The hour of the day in UTC.
    sent_hour: u32,
    /// The time in microseconds, which orders messages. An Elasticsearch date is less precise.
    sent_micros: i64,
    position: i64,
}

/// The seed's user: a member of a workspace.
#[derive(Serialize)]
struct MemberSource<'a> {
    member_id: Uuid,
    user_id: Uuid,
    workspace_id: Uuid,
    username: &'a str,
    display_name: &'a str,
    /// The names that a search finds the member by, split by the rule of all backends.
    names: String,
    email: &'a str,
    title: Option<&'a str>,
    department: Option<&'a str>,
    bio: Option<&'a str>,
    status: &'a str,
    last_active: Option<DateTime<Utc>>,
    role: &'a str,
    is_bot: bool,
    position: i64,
}

impl MessageRow {
    pub(super) fn document(&self) -> Document {
        let formatted = self.formatted_content.as_deref().and_then(|json| serde_json::from_str::<FormattedContent>(json).ok());
        let formatted = formatted.unwrap_or_default();
        let reactions = serde_json::from_str::<Vec<Reaction>>(&self.reactions).unwrap_or_default();
        // In order of the emoji and not of the reactions, so that documents are those of earlier releases.
        let emojis = reactions.iter().map(|reaction| reaction.emoji.as_str()).collect::<BTreeSet<_>>();
        let words = words::folded(&self.content);
        let plain = words.iter().map(|word| words::plain(word)).collect::<Vec<_>>();
        let has_accents = words.iter().zip(&plain).any(|(folded, plain)| folded != plain);
        let source = MessageSource {
            message_id: self.message_id,
            workspace_id: self.workspace_id,
            channel_id: self.channel_id,
            user_id: self.user_id,
            username: &self.username,
            display_name: &self.display_name,
            content: &self.content,
            words: words.join(" "),
            stems: plain.iter().map(|plain| words::stem(plain)).collect::<Vec<_>>().join(" "),
            plain: has_accents.then(|| plain.join(" ")),
            message_type: &self.message_type,
            thread_id: self.thread_id,
            created_at: self.created_at,
            updated_at: self.updated_at,
            mentions: self.mentions(&formatted),
            channel_name: self.channel_name.as_deref(),
            has_files: !formatted.files.is_empty() || self.message_type == Kind::File.as_str(),
            file_words: formatted.files.iter().flat_map(|file| files::words_of_name(&file.name)).collect(),
            reaction_count: reactions.iter().map(|reaction| reaction.count).sum(),
            has_links: !formatted.links.is_empty(),
            is_pinned: self.is_pinned,
            is_deleted: self.is_deleted,
            reply_count: self.reply_count,
            reactions: emojis.into_iter().flat_map(words::emoji_names).collect(),
            sent_hour: self.created_at.hour(),
            sent_micros: self.created_at.timestamp_micros(),
            position: self.position,
        };
        let key = (Family::Messages, self.message_id.to_string(), self.workspace_id);
        Document::of(key, self.created_at, self.version, &source)
    }

    /// The users that the text mentions. A system message mentions nobody.
    fn mentions(&self, formatted: &FormattedContent) -> Vec<Uuid> {
        if self.message_type == Kind::System.as_str() { Vec::new() } else { formatted.mentions.iter().map(|id| id.0).collect() }
    }
}

impl MemberRow {
    pub(super) fn document(&self) -> Document {
        let source = MemberSource {
            member_id: self.member_id,
            user_id: self.user_id,
            workspace_id: self.workspace_id,
            username: &self.username,
            display_name: &self.display_name,
            names: names::names_of(&self.username, &self.display_name),
            email: &self.email,
            title: self.title.as_deref(),
            department: self.department.as_deref(),
            bio: self.bio.as_deref(),
            status: &self.status,
            last_active: self.last_seen_at,
            role: &self.role,
            is_bot: self.is_bot,
            position: self.position,
        };
        let key = (Family::Users, member_document(self.workspace_id, self.user_id), self.workspace_id);
        Document::of(key, DateTime::UNIX_EPOCH, self.version, &source)
    }
}

/// The identifier of a member's document.
pub(crate) fn member_document(workspace_id: Uuid, user_id: Uuid) -> String {
    format!("{workspace_id}:{user_id}")
}

impl Document {
    fn of(key: (Family, String, Uuid), moment: DateTime<Utc>, version: Option<i64>, source: &impl Serialize) -> Self {
        let (family, id, workspace_id) = key;
        // Texts, numbers and identifiers can always be serialised.
        let mut source = serde_json::to_vec(source).unwrap_or_default();
        let checksum = checksum(&source);
        source.pop();
        source.extend_from_slice(format!(",\"checksum\":{checksum}}}").as_bytes());
        Self { family, id, workspace_id, moment, version: version.unwrap_or(0), checksum, source }
    }
}

/// FNV-1a, which is the same in every release (<http://www.isthe.com/chongo/tech/comp/fnv/>). Never negative.
pub(crate) fn checksum(bytes: &[u8]) -> i64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    i64::try_from(hash >> 1).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_the_same_in_every_release_and_never_negative() {
        assert_eq!(checksum(b""), 0x65f9_4e72_4211_1192);
        assert_eq!(checksum(b"foobar"), i64::try_from(0x8594_4171_f739_67e8_u64 >> 1).expect("63 bits"));
        assert!((0..1_000_u32).all(|n| checksum(&n.to_be_bytes()) >= 0));
    }
}
