//! The manifest of a database fixture: the events in its log, the accounts that can sign in, and the messages that they
//! read.

use std::collections::BTreeMap;

use domain::format::EventFormat;
use domain::text::Emoji;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::Person;

/// The name of the manifest in the folder of a release.
pub(super) const FILE: &str = "manifest.json";
/// The number of messages of a channel that the manifest contains.
const PAGE: usize = 50;

/// The content of a database fixture.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The release that wrote the database.
    pub release: String,
    /// The commit of that release.
    pub commit: String,
    /// The version of the Postgres server that made the dump.
    pub postgres: String,
    /// The key that seals the database's secrets.
    pub master_key: String,
    /// The newest event format in the log.
    #[serde(default = "first_format")]
    pub event_format: i32,
    /// The password of both accounts.
    pub password: String,
    /// The number of events in the log.
    pub events: i64,
    /// The number of events of each type and version.
    pub log: BTreeMap<String, BTreeMap<String, i64>>,
    /// An operator of the server.
    pub operator: Account,
    /// A user that reads the history.
    pub reader: Account,
    /// The messages that the reader sees.
    pub history: History,
}

/// Release 0.1.0 did not write its event format.
fn first_format() -> i32 {
    EventFormat::FIRST.0
}

/// A user with an account.
#[derive(Debug, Serialize, Deserialize)]
pub struct Account {
    /// The user's identifier.
    pub user_id: Uuid,
    /// The user's username.
    pub username: String,
    /// The user's email address.
    pub email: String,
}

impl From<&Person> for Account {
    fn from(person: &Person) -> Self {
        Self { user_id: person.id, username: person.username.clone(), email: person.email.clone() }
    }
}

/// The newest page of a channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The channel of the messages.
    pub channel_id: Uuid,
    /// The newest messages of the channel, oldest first.
    pub messages: Vec<Message>,
}

/// The fields of a message that every later release must still return. The API returns more, and may add fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The identifier of the message.
    pub message_id: Uuid,
    /// The author of the message.
    pub user_id: Uuid,
    /// The author's username. Absent if the author was erased.
    #[serde(default)]
    pub username: String,
    /// The text of the message.
    pub content: String,
    /// `text`, `file`, `system` or `bot`.
    pub message_type: String,
    /// The message that this one answers.
    pub thread_id: Option<Uuid>,
    /// The number of answers.
    pub reply_count: i64,
    /// Whether it is pinned.
    pub is_pinned: bool,
    /// The users that reacted, by emoji. Later releases show a list.
    pub reactions: Value,
    /// The people, channels and links that the text refers to.
    pub formatted_content: Option<Value>,
}

impl History {
    /// The same messages as this release shows them. Release 0.1.0 showed every reaction as it was sent, and a name for
    /// people who were erased.
    ///
    /// # Panics
    /// Panics if a reaction of the page is not a list of users.
    #[must_use]
    pub fn as_shown_now(mut self) -> Self {
        for message in &mut self.messages {
            if message.username.starts_with("erased-") {
                message.username.clear();
            }
            let reactions = message.reactions.as_object_mut().map(std::mem::take).unwrap_or_default();
            let normal = reactions.into_iter().map(|(emoji, users)| (String::from(Emoji::from(emoji)), users));
            message.reactions = Value::Object(normal.collect());
        }
        self
    }
}

/// The newest page of a channel, as this user reads it over HTTP.
///
/// # Panics
/// Panics if the user may not read the channel, or if the answer is not a page.
pub async fn history(reader: &Person, channel_id: Uuid, position: i64) -> History {
    let page = reader.get_at(position, &format!("/v1/channels/{channel_id}/messages?limit={PAGE}")).await.expect(200);
    let mut messages = serde_json::from_value::<Vec<Message>>(page["items"].clone()).expect("messages");
    // Release 0.1.0 showed an object, which has no order.
    for message in &mut messages {
        let reactions = message.reactions.as_array_mut().map(std::mem::take).unwrap_or_default();
        let by_emoji = |mut reaction: Value| (reaction["emoji"].as_str().unwrap_or_default().to_owned(), reaction["users"].take());
        message.reactions = Value::Object(reactions.into_iter().map(by_emoji).collect());
    }
    History { channel_id, messages }
}

/// The number of events of each type and version in the log.
///
/// # Panics
/// Panics if the log cannot be read.
pub async fn log(pool: &PgPool) -> BTreeMap<String, BTreeMap<String, i64>> {
    let counts = "SELECT event_type, event_version, count(*) FROM public.events GROUP BY event_type, event_version";
    let mut log = BTreeMap::<String, BTreeMap<String, i64>>::new();
    for (event_type, version, count) in sqlx::query_as::<_, (String, String, i64)>(counts).fetch_all(pool).await.expect("the log") {
        log.entry(event_type).or_default().insert(version, count);
    }
    log
}
