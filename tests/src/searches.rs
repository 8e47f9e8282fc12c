//! The project's fixed searches (`tests/searches/gitter.txt`), each with its meaning, and a plain scan of all messages
//! that computes the expected results. The scan and the product's search share nothing but the rows that they read.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

/// The file of searches.
const LIST: &str = include_str!("../searches/gitter.txt");
/// The length of the identifier in a mention.
const IDENTIFIER_CHARS: usize = 36;

/// A search with its meaning.
#[derive(Clone, Debug)]
pub struct ListedSearch {
    /// The text that a user types.
    pub query: &'static str,
    meaning: Vec<Clause>,
}

/// A condition that a message must meet, or must not meet.
#[derive(Clone, Debug)]
struct Clause {
    holds: bool,
    what: &'static str,
    values: Vec<&'static str>,
}

/// A message for the scan.
pub struct Said {
    /// The identifier of the message.
    pub message_id: Uuid,
    /// The time when the message was sent.
    pub created_at: DateTime<Utc>,
    author: String,
    channel: String,
    words: Vec<String>,
    marks: BTreeSet<&'static str>,
}

#[derive(FromRow)]
struct Row {
    message_id: Uuid,
    created_at: DateTime<Utc>,
    username: String,
    name: String,
    content: String,
    has_link: bool,
    has_file: bool,
    has_reaction: bool,
    is_pinned: bool,
    is_thread: bool,
}

/// Every search of the file.
#[must_use]
pub fn listed_searches() -> Vec<ListedSearch> {
    LIST.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(ListedSearch::read).collect()
}

/// Every message that a search can find, of all channels, newest first.
///
/// # Panics
/// Panics if the database does not answer.
pub async fn everything_said(pool: &PgPool) -> Vec<Said> {
    let rows = sqlx::query_as::<_, Row>(
        "SELECT m.message_id, m.created_at, lower(u.username) AS username, COALESCE(c.name, '') AS name, m.content,
                m.formatted_content IS NOT NULL AND m.formatted_content ? 'links' AS has_link,
                m.message_type = 'file' OR (m.formatted_content IS NOT NULL AND m.formatted_content ? 'files') AS has_file,
                m.reactions <> '[]' AS has_reaction, m.is_pinned, m.thread_id IS NOT NULL OR m.reply_count > 0 AS is_thread
         FROM messages m JOIN users u ON u.user_id = m.user_id JOIN channels c ON c.channel_id = m.channel_id
         WHERE NOT m.is_deleted AND m.message_type <> 'system'
         ORDER BY m.created_at DESC, m.message_id DESC",
    );
    rows.fetch_all(pool).await.expect("every message").into_iter().map(Said::from).collect()
}

impl ListedSearch {
    fn read(line: &'static str) -> Self {
        let (query, meaning) = line.rsplit_once(" | ").unwrap_or_else(|| panic!("this search has no meaning after the bar: {line}"));
        Self { query, meaning: meaning.split(" ; ").map(Clause::read).collect() }
    }

    /// Whether the search must find this message.
    #[must_use]
    pub fn means(&self, said: &Said) -> bool {
        self.meaning.iter().all(|clause| clause.is_so(said) == clause.holds)
    }

    /// The authors that the search names.
    #[must_use]
    pub fn authors(&self) -> Vec<&'static str> {
        self.named("author")
    }

    /// The channels that the search names.
    #[must_use]
    pub fn channels(&self) -> Vec<&'static str> {
        self.named("channel")
    }

    fn named(&self, what: &str) -> Vec<&'static str> {
        self.meaning.iter().filter(|clause| clause.what == what).flat_map(|clause| clause.values.clone()).collect()
    }
}

impl Clause {
    fn read(text: &'static str) -> Self {
        let (holds, text) = text.strip_prefix('!').map_or((true, text), |text| (false, text));
        let (what, values) = text.split_once(':').unwrap_or((text, ""));
        let between = if what == "row" { ' ' } else { ',' };
        Self { holds, what, values: values.split(between).collect() }
    }

    fn is_so(&self, said: &Said) -> bool {
        let has = |text: &str| self.values.contains(&text);
        match self.what {
            "one" => said.words.iter().any(|word| has(word)),
            "row" => said.words.windows(self.values.len()).any(|row| row == self.values),
            "begins" => said.words.iter().any(|word| self.values.iter().any(|value| word.starts_with(value))),
            "author" => has(&said.author),
            "channel" => has(&said.channel),
            "from" => said.created_at >= day(self.values[0]),
            "to" => said.created_at < day(self.values[0]),
            mark @ ("link" | "file" | "reaction" | "pinned" | "thread") => said.marks.contains(mark),
            other => panic!("unknown condition of a search: {other}"),
        }
    }
}

fn day(text: &str) -> DateTime<Utc> {
    text.parse::<NaiveDate>().expect("a day").and_time(chrono::NaiveTime::MIN).and_utc()
}

impl From<Row> for Said {
    fn from(row: Row) -> Self {
        let marks = [
            ("link", row.has_link),
            ("file", row.has_file),
            ("reaction", row.has_reaction),
            ("pinned", row.is_pinned),
            ("thread", row.is_thread),
        ];
        Self {
            message_id: row.message_id,
            created_at: row.created_at,
            author: row.username,
            channel: row.name,
            words: words(&row.content),
            marks: marks.into_iter().filter(|(_, is_so)| *is_so).map(|(mark, _)| mark).collect(),
        }
    }
}

/// The words of a text in lower case, without mentions: each run of letters and digits, and each Chinese, Japanese or
/// Korean character.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("<@") || rest.starts_with("<#") {
            let skipped = rest.char_indices().nth(2 + IDENTIFIER_CHARS).map_or(rest.len(), |(at, _)| at);
            if rest[2..skipped].chars().all(|c| c.is_ascii_hexdigit() || c == '-') {
                words.push(String::new());
                rest = &rest[skipped..];
                continue;
            }
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' => words.extend([c.to_string(), String::new()]),
            c if c.is_alphanumeric() => words.last_mut().expect("a word").extend(c.to_lowercase()),
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether the search names an author or a channel that none of these messages has. A smaller archive lacks some.
#[must_use]
pub fn is_missing(search: &ListedSearch, said: &[Said]) -> bool {
    let authors = search.authors().into_iter().any(|name| !said.iter().any(|said| said.author == name));
    authors || search.channels().into_iter().any(|name| !said.iter().any(|said| said.channel == name))
}
