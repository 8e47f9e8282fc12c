//! The clients' record: every request before it is sent, and every answer. The file is append-only. The checker judges
//! the same content.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::load::Followed;

/// The expected effect of a command on the log: an event of this type whose payload has at least these fields.
#[derive(Clone, Debug, Serialize)]
pub struct Effect {
    /// The type of the event.
    pub event_type: &'static str,
    /// The stream, if it is known in advance.
    pub stream: Option<Uuid>,
    /// Fields of the payload.
    pub fields: Value,
}

/// The status of a command that is acknowledged without its row, because the read model is behind.
pub const ROW_FOLLOWS: u16 = 202;

/// The outcome of an attempt.
#[derive(Clone, Debug, Serialize)]
pub enum Outcome {
    /// An answer.
    Answered {
        /// The status.
        status: u16,
        /// The header `Backscroll-Position`.
        position: Option<i64>,
        /// The header `Retry-After`.
        retry_after: Option<u64>,
        /// The problem's code, if the body is `application/problem+json`.
        problem: Option<String>,
        /// The body. Of an acknowledgement without a row: the identifier of the new thing, if `Location` names one.
        body: Value,
    },
    /// No answer: the connection broke, or the time was over.
    Broken {
        /// The error.
        error: String,
        /// Whether the attempt failed before anything was sent.
        unsent: bool,
        /// Whether the server was down at some time during the attempt.
        excused: bool,
    },
}

impl Outcome {
    /// The status, if there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answered { status, .. } => Some(*status),
            Self::Broken { .. } => None,
        }
    }

    /// Whether the answer acknowledges the command.
    #[must_use]
    pub fn is_ack(&self) -> bool {
        self.status().is_some_and(|status| (200..300).contains(&status))
    }

    /// The position in the answer, if there is one.
    #[must_use]
    pub fn position(&self) -> Option<i64> {
        match self {
            Self::Answered { position, .. } => *position,
            Self::Broken { .. } => None,
        }
    }
}

/// One attempt at a request.
#[derive(Clone, Debug, Serialize)]
pub struct Attempt {
    /// The highest position that any client knew before the attempt.
    pub known_before: i64,
    /// The outcome.
    pub outcome: Outcome,
}

/// A command with all of its attempts.
#[derive(Clone, Debug, Serialize)]
pub struct Command {
    /// The header `Idempotency-Key`.
    pub key: String,
    /// The user that sent the command. If the command registers a user, the user in the answer.
    pub actor: Uuid,
    /// The method and the path, such as `POST /v1/…`.
    pub request: String,
    /// The expected effect, if the client can name one.
    pub effect: Option<Effect>,
    /// Every attempt.
    pub attempts: Vec<Attempt>,
}

/// A query with its expected result.
#[derive(Clone, Debug, Serialize)]
pub struct Query {
    /// The method and the path, such as `GET /v1/…`.
    pub request: String,
    /// The header `Backscroll-Min-Position`.
    pub min_position: Option<i64>,
    /// The expected result.
    pub expects: Expects,
    /// The outcome.
    pub outcome: Outcome,
}

/// The expected result of a query that is answered.
#[derive(Clone, Debug, Serialize)]
pub enum Expects {
    /// The message with this content. The caller wrote it, and no other user may change it.
    Message {
        /// The message.
        id: Uuid,
        /// Its text.
        content: String,
    },
    /// A search result with exactly this message and this content. No other message has the searched word.
    Found {
        /// The message.
        id: Uuid,
        /// Its text.
        content: String,
    },
    /// The newest page of a channel with this message on it, unless all messages of the page are newer.
    OnPage {
        /// The message.
        id: Uuid,
    },
    /// A search result without any message of this channel. The caller was removed from it before.
    NothingIn {
        /// The channel.
        channel: Uuid,
    },
    /// Status 403 or 404. The caller was removed before.
    Refusal,
}

/// The records since the last call.
#[derive(Debug, Default)]
pub struct Taken {
    /// Finished commands.
    pub commands: Vec<Command>,
    /// Finished queries.
    pub queries: Vec<Query>,
    /// The events that came over sockets.
    pub followed: Vec<Followed>,
}

/// Counts of outcomes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// The number of commands.
    pub commands: usize,
    /// The number of queries.
    pub queries: usize,
    /// The number of acknowledgements.
    pub acks: usize,
    /// The number of refusals.
    pub refusals: usize,
    /// The number of answers that tell the client to retry later.
    pub later: usize,
    /// The number of attempts without an answer.
    pub broken: usize,
    /// The number of events that came over sockets.
    pub frames: usize,
    /// The number of connections of sockets.
    pub sockets: u64,
}

impl Taken {
    /// Counts the outcomes.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut tally = Tally { commands: self.commands.len(), queries: self.queries.len(), ..Tally::default() };
        tally.frames = self.followed.iter().map(|followed| followed.seen.len()).sum();
        tally.sockets = self.followed.iter().map(|followed| followed.connections).sum();
        let attempts = self.commands.iter().flat_map(|command| &command.attempts).map(|attempt| &attempt.outcome);
        for outcome in attempts.chain(self.queries.iter().map(|query| &query.outcome)) {
            match outcome.status() {
                Some(200..300) => tally.acks += 1,
                Some(503) => tally.later += 1,
                Some(_) => tally.refusals += 1,
                None => tally.broken += 1,
            }
        }
        tally
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.commands += other.commands;
        self.queries += other.queries;
        self.acks += other.acks;
        self.refusals += other.refusals;
        self.later += other.later;
        self.broken += other.broken;
        self.frames += other.frames;
        self.sockets += other.sockets;
    }
}

/// The recorder that all clients write to.
#[derive(Debug)]
pub struct Recorder {
    file: Mutex<File>,
    taken: Mutex<Taken>,
    began: Instant,
}

impl Recorder {
    /// A recorder that appends to a file.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn append_to(path: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self { file: Mutex::new(file), taken: Mutex::default(), began: Instant::now() })
    }

    /// Appends a line to the file: before a request is sent, and after it was answered.
    pub fn note(&self, what: &str, key: &str, said: &impl Serialize) {
        let line = json!({"ms": self.began.elapsed().as_millis() as u64, "what": what, "key": key, "said": said});
        // A failed write loses only a line of the file: the checker reads the records from memory.
        let _ = writeln!(lock(&self.file), "{line}");
    }

    /// Records a finished command.
    pub fn command(&self, command: Command) {
        lock(&self.taken).commands.push(command);
    }

    /// Records a finished query.
    pub fn query(&self, query: Query) {
        self.note("query", "", &query);
        lock(&self.taken).queries.push(query);
    }

    /// Takes the records since the last call.
    pub fn take(&self) -> Taken {
        std::mem::take(&mut *lock(&self.taken))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
