//! An invented Slack export of a society that looks after a lightship. Most events of the tour come from its import.

use std::collections::BTreeMap;
use std::io::{Seek, Write};

use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::sentences::sentence;

/// The average number of events of an imported message, with its reactions.
pub(super) const EVENTS_OF_A_MESSAGE: usize = 2;

const PEOPLE: usize = 30;
const CHANNELS: [&str; 4] = ["lamp-room", "moorings", "newsletter", "paint"];
/// The time of the first message: 1 March 2025.
const FIRST_SECOND: usize = 1_740_787_200;
/// The time between two messages.
const PACE_SECONDS: usize = 4_000;
const DAY_SECONDS: usize = 86_400;

/// Writes an export with this number of messages.
pub(super) fn write(to: impl Write + Seek, messages: usize) {
    let mut zip = ZipWriter::new(to);
    let mut put = |name: &str, value: &Value| {
        zip.start_file(name, SimpleFileOptions::default()).expect("a file");
        zip.write_all(value.to_string().as_bytes()).expect("a file");
    };
    put("users.json", &(0..PEOPLE).map(user).collect());
    put("channels.json", &CHANNELS.iter().enumerate().map(|(n, name)| channel(n, name)).collect());
    let mut days = BTreeMap::<String, Vec<Value>>::new();
    for n in 0..messages {
        let day = format!("{}/{}.json", CHANNELS[n % CHANNELS.len()], date(second(n)));
        days.entry(day).or_default().push(message(n));
    }
    for (name, messages) in days {
        put(&name, &messages.into());
    }
    zip.finish().expect("an archive");
}

fn user(n: usize) -> Value {
    let name = format!("keeper{n}");
    json!({"id": user_id(n), "name": name, "real_name": format!("Keeper {n}"), "profile": {"email": format!("{name}@lightship.example.org")}})
}

fn channel(n: usize, name: &str) -> Value {
    json!({"id": format!("C{n:04}"), "name": name, "created": FIRST_SECOND, "members": (0..PEOPLE).map(user_id).collect::<Vec<_>>()})
}

/// The `n`th message. Every fifth answers an earlier message of its channel, and two users reacted to every second.
fn message(n: usize) -> Value {
    let mut message = json!({"type": "message", "user": user_id(n * 7 % PEOPLE), "text": sentence(n), "ts": moment(n)});
    let channels = CHANNELS.len();
    if n % 5 == 4 && n >= channels {
        message["thread_ts"] = moment(root_of(n)).into();
    }
    if n % 2 == 1 {
        message["reactions"] = json!([{"name": "bulb", "users": [user_id(n % PEOPLE), user_id((n + 1) % PEOPLE)], "count": 2}]);
    }
    message
}

/// The newest earlier message of the same channel that is not an answer.
fn root_of(n: usize) -> usize {
    let mut root = n - CHANNELS.len();
    while root % 5 == 4 && root >= CHANNELS.len() {
        root -= CHANNELS.len();
    }
    root
}

fn user_id(n: usize) -> String {
    format!("U{n:04}")
}

fn second(n: usize) -> usize {
    FIRST_SECOND + n * PACE_SECONDS
}

fn moment(n: usize) -> String {
    format!("{}.{:06}", second(n), n % 1_000_000)
}

/// The date of a time, in the form of the names of the export's daily files.
fn date(second: usize) -> String {
    let day = i64::try_from(second - second % DAY_SECONDS).expect("a moment");
    chrono::DateTime::from_timestamp(day, 0).expect("a moment").format("%Y-%m-%d").to_string()
}
