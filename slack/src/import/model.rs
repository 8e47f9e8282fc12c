//! The parts of a Slack export that the import understands. Every field may be missing or have another type: see
//! `lenient`.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::lenient::{Record, flag, list, number, record, text, texts};

/// A list of users, channels or conversations, read as a whole.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SlackUser {
    #[serde(deserialize_with = "text")]
    pub id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
    #[serde(deserialize_with = "text")]
    pub real_name: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub deleted: bool,
    #[serde(deserialize_with = "flag")]
    pub is_admin: bool,
    #[serde(deserialize_with = "flag")]
    pub is_owner: bool,
    #[serde(deserialize_with = "flag")]
    pub is_primary_owner: bool,
    #[serde(deserialize_with = "flag")]
    pub is_restricted: bool,
    #[serde(deserialize_with = "flag")]
    pub is_ultra_restricted: bool,
    #[serde(deserialize_with = "flag")]
    pub is_bot: bool,
    #[serde(deserialize_with = "text")]
    pub tz: Option<String>,
    #[serde(deserialize_with = "text")]
    pub locale: Option<String>,
    #[serde(deserialize_with = "number")]
    pub updated: Option<i64>,
    #[serde(deserialize_with = "record")]
    pub profile: Option<SlackProfile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SlackProfile {
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
    #[serde(deserialize_with = "text")]
    pub display_name: Option<String>,
    #[serde(deserialize_with = "text")]
    pub real_name: Option<String>,
    #[serde(deserialize_with = "text")]
    pub email: Option<String>,
    #[serde(deserialize_with = "text")]
    pub title: Option<String>,
    #[serde(deserialize_with = "text")]
    pub phone: Option<String>,
    #[serde(deserialize_with = "text")]
    pub pronouns: Option<String>,
    #[serde(deserialize_with = "text")]
    pub image_original: Option<String>,
    #[serde(deserialize_with = "text")]
    pub image_512: Option<String>,
    #[serde(deserialize_with = "text")]
    pub image_192: Option<String>,
    #[serde(deserialize_with = "text")]
    pub image_72: Option<String>,
    #[serde(deserialize_with = "text")]
    pub status_text: Option<String>,
    #[serde(deserialize_with = "text")]
    pub status_emoji: Option<String>,
    #[serde(deserialize_with = "number")]
    pub status_expiration: Option<i64>,
    #[serde(deserialize_with = "text")]
    pub skype: Option<String>,
    /// Custom profile fields of a workspace. They are only counted.
    pub fields: Option<Box<RawValue>>,
    #[serde(deserialize_with = "text")]
    pub bot_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SlackChannel {
    #[serde(deserialize_with = "text")]
    pub id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
    #[serde(deserialize_with = "number")]
    pub created: Option<i64>,
    #[serde(deserialize_with = "text")]
    pub creator: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub is_archived: bool,
    #[serde(deserialize_with = "flag")]
    pub is_general: bool,
    #[serde(deserialize_with = "flag")]
    pub is_private: bool,
    #[serde(deserialize_with = "texts")]
    pub members: Vec<String>,
    #[serde(deserialize_with = "texts")]
    pub previous_names: Vec<String>,
    #[serde(deserialize_with = "record")]
    pub topic: Option<SlackTopic>,
    #[serde(deserialize_with = "record")]
    pub purpose: Option<SlackTopic>,
    #[serde(deserialize_with = "list")]
    pub pins: Vec<SlackPin>,
}

/// A topic or a purpose. In an old export it may be a plain text.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SlackTopic {
    #[serde(deserialize_with = "text")]
    pub value: Option<String>,
    #[serde(deserialize_with = "text")]
    pub creator: Option<String>,
    #[serde(deserialize_with = "number")]
    pub last_set: Option<i64>,
}

/// A pin in a channel's list: of a message, given by its moment, or of a file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SlackPin {
    #[serde(deserialize_with = "text")]
    pub id: Option<String>,
    #[serde(deserialize_with = "number")]
    pub created: Option<i64>,
    #[serde(deserialize_with = "text")]
    pub user: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SlackMessage {
    /// `message`. Some programs file other events too.
    #[serde(rename = "type", deserialize_with = "text")]
    pub kind: Option<String>,
    #[serde(deserialize_with = "text")]
    pub ts: Option<String>,
    #[serde(deserialize_with = "text")]
    pub subtype: Option<String>,
    #[serde(deserialize_with = "text")]
    pub user: Option<String>,
    #[serde(deserialize_with = "text")]
    pub bot_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub username: Option<String>,
    #[serde(deserialize_with = "text")]
    pub text: Option<String>,
    #[serde(deserialize_with = "text")]
    pub thread_ts: Option<String>,
    #[serde(deserialize_with = "text")]
    pub client_msg_id: Option<String>,
    #[serde(deserialize_with = "record")]
    pub edited: Option<SlackEdit>,
    #[serde(deserialize_with = "list")]
    pub reactions: Vec<SlackReaction>,
    #[serde(deserialize_with = "list")]
    pub files: Vec<SlackFile>,
    #[serde(deserialize_with = "record")]
    pub file: Option<SlackFile>,
    #[serde(deserialize_with = "record")]
    pub comment: Option<SlackComment>,
    #[serde(deserialize_with = "list")]
    pub attachments: Vec<SlackAttachment>,
    #[serde(deserialize_with = "texts")]
    pub pinned_to: Vec<String>,
    #[serde(deserialize_with = "record")]
    pub pinned_info: Option<SlackPinning>,
    #[serde(deserialize_with = "record")]
    pub user_profile: Option<SlackProfile>,
    #[serde(deserialize_with = "record")]
    pub bot_profile: Option<SlackProfile>,
    /// Read only if a message has no text of its own.
    pub blocks: Option<Box<RawValue>>,
    /// The answers in the thread that the message begins.
    #[serde(deserialize_with = "list")]
    pub replies: Vec<SlackPlace>,
    /// The message that began the thread, in a reply that is shown in the channel too.
    #[serde(deserialize_with = "record")]
    pub root: Option<SlackPlace>,
    /// Whether clients do not show it.
    #[serde(deserialize_with = "flag")]
    pub hidden: bool,
    /// In a change: the message as it is after the change.
    pub message: Option<Box<RawValue>>,
    /// In a change: the message before it.
    #[serde(deserialize_with = "record", alias = "original")]
    pub previous_message: Option<SlackPlace>,
    /// In a deletion: the moment of the deleted message.
    #[serde(deserialize_with = "text")]
    pub deleted_ts: Option<String>,
}

/// The place of a message: its moment, and its author.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SlackPlace {
    #[serde(deserialize_with = "text")]
    pub ts: Option<String>,
    #[serde(deserialize_with = "text")]
    pub user: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SlackEdit {
    #[serde(deserialize_with = "text")]
    pub ts: Option<String>,
    #[serde(deserialize_with = "text")]
    pub user: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SlackReaction {
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
    #[serde(deserialize_with = "texts")]
    pub users: Vec<String>,
    #[serde(deserialize_with = "number")]
    pub count: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SlackFile {
    #[serde(deserialize_with = "text")]
    pub id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
    #[serde(deserialize_with = "text")]
    pub title: Option<String>,
    #[serde(deserialize_with = "text")]
    pub user: Option<String>,
    #[serde(deserialize_with = "text")]
    pub mimetype: Option<String>,
    #[serde(deserialize_with = "number")]
    pub size: Option<i64>,
    #[serde(deserialize_with = "text")]
    pub permalink: Option<String>,
    #[serde(deserialize_with = "text")]
    pub url_private: Option<String>,
    #[serde(deserialize_with = "text")]
    pub url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SlackComment {
    #[serde(deserialize_with = "text")]
    pub user: Option<String>,
    #[serde(deserialize_with = "text")]
    pub comment: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SlackAttachment {
    #[serde(deserialize_with = "text")]
    pub pretext: Option<String>,
    #[serde(deserialize_with = "text")]
    pub title: Option<String>,
    #[serde(deserialize_with = "text")]
    pub title_link: Option<String>,
    #[serde(deserialize_with = "text")]
    pub text: Option<String>,
    #[serde(deserialize_with = "text")]
    pub fallback: Option<String>,
    #[serde(deserialize_with = "text")]
    pub image_url: Option<String>,
    /// The address of the page that a preview shows.
    #[serde(deserialize_with = "text")]
    pub from_url: Option<String>,
    #[serde(deserialize_with = "text")]
    pub original_url: Option<String>,
    #[serde(deserialize_with = "list")]
    pub fields: Vec<SlackField>,
    #[serde(deserialize_with = "text")]
    pub author_name: Option<String>,
    #[serde(deserialize_with = "text")]
    pub author_subname: Option<String>,
    /// Whether somebody shares a message, which the attachment quotes.
    #[serde(deserialize_with = "flag")]
    pub is_share: bool,
    /// Whether the attachment quotes a message to which a link in the text leads.
    #[serde(deserialize_with = "flag")]
    pub is_msg_unfurl: bool,
    pub blocks: Option<Box<RawValue>>,
    /// The blocks of the messages that it quotes.
    pub message_blocks: Option<Box<RawValue>>,
    #[serde(deserialize_with = "list")]
    pub files: Vec<SlackFile>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SlackField {
    #[serde(deserialize_with = "text")]
    pub title: Option<String>,
    #[serde(deserialize_with = "text")]
    pub value: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SlackPinning {
    #[serde(deserialize_with = "text")]
    pub pinned_by: Option<String>,
    #[serde(deserialize_with = "number")]
    pub pinned_ts: Option<i64>,
}

impl Record<'_> for SlackUser {}
impl Record<'_> for SlackProfile {}
impl Record<'_> for SlackChannel {}
impl Record<'_> for SlackPlace {}
impl Record<'_> for SlackEdit {}
impl Record<'_> for SlackReaction {}
impl Record<'_> for SlackComment {}
impl Record<'_> for SlackAttachment {}
impl Record<'_> for SlackField {}
impl Record<'_> for SlackPinning {}

impl Record<'_> for SlackTopic {
    fn named(text: &str) -> Option<Self> {
        Some(Self { value: Some(text.into()), ..Self::default() })
    }
}

impl Record<'_> for SlackFile {
    fn named(id: &str) -> Option<Self> {
        Some(Self { id: Some(id.into()), ..Self::default() })
    }
}

impl Record<'_> for SlackPin {
    fn named(id: &str) -> Option<Self> {
        Some(Self { id: Some(id.into()), ..Self::default() })
    }
}

/// The latest accepted second: a later one is an error.
const SECONDS_MAX: i64 = 4_102_444_800;

/// Parses a moment that Slack writes as `1452837318.000002`: seconds since 1970, and six digits that distinguish events
/// of the same second.
pub(super) fn moment(ts: &str) -> Option<DateTime<Utc>> {
    let (whole, part) = ts.trim().split_once('.').unwrap_or((ts.trim(), ""));
    let seconds = digits(whole)?;
    let micros = if part.is_empty() { 0 } else { digits(&format!("{:0<6}", part.get(..part.len().min(6))?))? };
    if !(1..SECONDS_MAX).contains(&seconds) {
        return None;
    }
    DateTime::from_timestamp_micros(seconds * 1_000_000 + micros)
}

/// The moment of this number of seconds since 1970. 0 means unknown.
pub(super) fn second(seconds: Option<i64>) -> Option<DateTime<Utc>> {
    seconds.filter(|seconds| (1..SECONDS_MAX).contains(seconds)).and_then(|seconds| DateTime::from_timestamp(seconds, 0))
}

/// The text, if it has a visible character.
pub(super) fn some(text: Option<&String>) -> Option<&str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}

fn digits(text: &str) -> Option<i64> {
    let fine = !text.is_empty() && text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit());
    fine.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(json: &str) -> SlackMessage {
        serde_json::from_str(json).expect("a message")
    }

    #[test]
    fn a_moment_is_parsed_to_the_microsecond_and_nonsense_is_refused() {
        let micros = |ts| moment(ts).map(|at| at.timestamp_micros());
        assert_eq!(micros("1452837318.000002"), Some(1_452_837_318_000_002));
        assert_eq!(micros("1452837318"), Some(1_452_837_318_000_000));
        assert_eq!(micros("1452837318.5"), Some(1_452_837_318_500_000));
        assert_eq!(micros("1452837318.0000021"), Some(1_452_837_318_000_002));
        for nonsense in ["", "soon", "0.000001", "-5", "99999999999.0", "1452837318.00é", "1e9", "1 2", "1452837318.+5"] {
            assert_eq!(micros(nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn numbers_may_be_texts_and_texts_may_be_numbers() {
        let channel = serde_json::from_str::<SlackChannel>(
            r#"{"id":"C1","created":"1452837318","is_archived":"true","is_general":1,"members":["U1",null,7,{"id":"U2"}],"topic":"apples","pins":null}"#,
        )
        .expect("a channel");
        assert_eq!(channel.created, Some(1_452_837_318));
        assert!(channel.is_archived && channel.is_general);
        assert_eq!(channel.members, ["U1", "7", "U2"]);
        assert_eq!(channel.topic.and_then(|t| t.value).as_deref(), Some("apples"));
        let message = message(r#"{"ts":1452837318.000002,"text":12,"user":null,"reactions":{"name":"x","users":"U1"}}"#);
        assert_eq!(message.ts.as_deref(), Some("1452837318.000002"));
        assert_eq!(message.text.as_deref(), Some("12"));
        assert_eq!(message.reactions[0].users, ["U1"]);
    }

    #[test]
    fn files_may_be_objects_identifiers_or_neither() {
        let message =
            message(r#"{"files":["F1",{"id":"F2","size":"12"},null,[1]],"file":"F3","edited":[],"comment":3,"attachments":false}"#);
        assert_eq!(message.files.iter().filter_map(|f| f.id.as_deref()).collect::<Vec<_>>(), ["F1", "F2"]);
        assert_eq!(message.files[1].size, Some(12));
        assert_eq!(message.file.and_then(|f| f.id).as_deref(), Some("F3"));
        assert!(message.edited.is_none() && message.comment.is_none() && message.attachments.is_empty());
    }
}
