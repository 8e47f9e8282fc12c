//! What is said of a kept database: what its log has, who can sign in, and what they then read.

use std::collections::BTreeMap;

use domain::format::EventFormat;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::Person;

/// Its file in the folder of a release.
pub(super) const FILE: &str = "manifest.json";
/// How many messages of a channel are kept.
const PAGE: usize = 50;

/// What is in a kept database.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The release that wrote it.
    pub release: String,
    /// The commit of that release.
    pub commit: String,
    /// The version of the Postgres that it was dumped from.
    pub postgres: String,
    /// The key that its secrets are sealed with.
    pub master_key: String,
    /// The newest event format that is in the log.
    #[serde(default = "first_format")]
    pub event_format: i32,
    /// The password of both accounts.
    pub password: String,
    /// How many events the log has.
    pub events: i64,
    /// How many events there are of each type, and of each version of it.
    pub log: BTreeMap<String, BTreeMap<String, i64>>,
    /// An operator of the server.
    pub operator: Account,
    /// Somebody who reads the history.
    pub reader: Account,
    /// What they read.
    pub history: History,
}

/// Release 0.1.0 did not say.
fn first_format() -> i32 {
    EventFormat::FIRST.0
}

/// Somebody with an account.
#[derive(Debug, Serialize, Deserialize)]
pub struct Account {
    /// The user.
    pub user_id: Uuid,
    /// Their username.
    pub username: String,
    /// Their address.
    pub email: String,
}

impl From<&Person> for Account {
    fn from(person: &Person) -> Self {
        Self { user_id: person.id, username: person.username.clone(), email: person.email.clone() }
    }
}

/// The newest page of a channel.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The channel.
    pub channel_id: Uuid,
    /// Its newest messages, oldest first.
    pub messages: Vec<Message>,
}

/// What every later release must still say of a message. The API says more of it, and may say more yet.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The message.
    pub message_id: Uuid,
    /// Its author.
    pub user_id: Uuid,
    /// Its author's name.
    pub username: String,
    /// Its text.
    pub content: String,
    /// `text`, `file`, `system` or `bot`.
    pub message_type: String,
    /// The message that it answers.
    pub thread_id: Option<Uuid>,
    /// How many answers it has.
    pub reply_count: i64,
    /// Whether it is pinned.
    pub is_pinned: bool,
    /// Who reacted, by emoji.
    pub reactions: Value,
    /// What it refers to.
    pub formatted_content: Option<Value>,
}

/// The newest page of a channel, as that person reads it over HTTP.
///
/// # Panics
/// They may not, or the page is not one.
pub async fn history(reader: &Person, channel_id: Uuid, position: i64) -> History {
    let page = reader.get_at(position, &format!("/v1/channels/{channel_id}/messages?limit={PAGE}")).await.expect(200);
    let messages = serde_json::from_value(page["items"].clone()).expect("messages");
    History { channel_id, messages }
}

/// How many events of each type, and of each version of it, are in the log.
///
/// # Panics
/// The log cannot be read.
pub async fn log(pool: &PgPool) -> BTreeMap<String, BTreeMap<String, i64>> {
    let counts = "SELECT event_type, event_version, count(*) FROM public.events GROUP BY event_type, event_version";
    let mut log = BTreeMap::<String, BTreeMap<String, i64>>::new();
    for (event_type, version, count) in sqlx::query_as::<_, (String, String, i64)>(counts).fetch_all(pool).await.expect("the log") {
        log.entry(event_type).or_default().insert(version, count);
    }
    log
}
