//! Exports made by the tests.

use std::io::{Cursor, Write};

use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::memory::{Memory, settings};
use crate::import::{ImportError, ImportReport, slack_from};

/// Files by their paths.
#[derive(Clone)]
pub(super) struct Export(Vec<(String, String)>);

impl Export {
    /// An export with Ann and Bob, who are in #orchard.
    pub(super) fn of_two() -> Self {
        let users = json!([
            {"id": "U1", "name": "ann", "is_owner": true, "profile": {"email": "ann@orchard.example", "display_name": "Ann"}},
            {"id": "U2", "name": "bob", "profile": {"real_name": "Bob B."}},
        ]);
        let channels = json!([{"id": "C1", "name": "orchard", "created": 1_735_689_600, "creator": "U1", "members": ["U1", "U2"]}]);
        Self(Vec::new()).with("users.json", &users).with("channels.json", &channels)
    }

    /// Adds a file, or replaces the one with this path.
    pub(super) fn with(self, path: &str, content: &Value) -> Self {
        self.with_text(path, &content.to_string())
    }

    pub(super) fn with_text(mut self, path: &str, content: &str) -> Self {
        self.0.retain(|(other, _)| other != path);
        self.0.push((path.into(), content.into()));
        self
    }

    /// Adds these messages to #orchard, on the first day of 2025.
    pub(super) fn saying(self, messages: &Value) -> Self {
        self.with("orchard/2025-01-01.json", messages)
    }

    pub(super) fn zip(&self) -> Cursor<Vec<u8>> {
        zip(self.0.iter().map(|(path, content)| (path.as_str(), content.as_bytes())))
    }

    pub(super) async fn import(&self, into: &Memory) -> Result<ImportReport, ImportError> {
        slack_from(into, self.zip(), &settings(), &()).await
    }

    /// Imports into an empty workspace.
    pub(super) async fn imported(&self) -> (Memory, ImportReport) {
        let memory = Memory::with_a_workspace(100);
        let report = self.import(&memory).await.expect("an import");
        (memory, report)
    }
}

pub(super) fn zip<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Cursor<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in files {
        zip.start_file(path, SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)).expect("a file");
        zip.write_all(content).expect("a content");
    }
    let mut zip = zip.finish().expect("a zip");
    zip.set_position(0);
    zip
}

/// A message of the first day of 2025, this many seconds after midnight.
pub(super) fn message(user: &str, second: u32, text: &str) -> Value {
    json!({"type": "message", "user": user, "ts": ts(second), "text": text})
}

pub(super) fn ts(second: u32) -> String {
    format!("{}.000100", 1_735_689_600 + second)
}

/// `message` with more fields.
pub(super) fn with(mut message: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().expect("an object") {
        message[key] = value.clone();
    }
    message
}
