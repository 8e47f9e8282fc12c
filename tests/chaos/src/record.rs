//! What the clients wrote down: every request, before it was sent, and every answer. The file is append-only; the checker reads what it says.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// What a command is to do, in the words of the log: an event of that type whose payload has at least those fields.
#[derive(Clone, Debug, Serialize)]
pub struct Effect {
    /// The type of the event.
    pub event_type: &'static str,
    /// The stream, where it is known before.
    pub stream: Option<Uuid>,
    /// Fields of its payload.
    pub fields: Value,
}

/// What came back.
#[derive(Clone, Debug, Serialize)]
pub enum Outcome {
    /// An answer.
    Answered {
        /// Its status.
        status: u16,
        /// `Backscroll-Position`.
        position: Option<i64>,
        /// `Retry-After`.
        retry_after: Option<u64>,
        /// Whether it is `application/problem+json`, with its code.
        problem: Option<String>,
        /// The body.
        body: Value,
    },
    /// None: the connection broke, or nothing came in time.
    Broken {
        /// Why.
        error: String,
        /// Whether that was known before anything was sent.
        unsent: bool,
        /// Whether the server was down at some time in between.
        excused: bool,
    },
}

impl Outcome {
    /// The status, where there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answered { status, .. } => Some(*status),
            Self::Broken { .. } => None,
        }
    }

    /// Whether the command was done, says the answer.
    #[must_use]
    pub fn is_ack(&self) -> bool {
        self.status().is_some_and(|status| (200..300).contains(&status))
    }

    /// The position, where the answer has one.
    #[must_use]
    pub fn position(&self) -> Option<i64> {
        match self {
            Self::Answered { position, .. } => *position,
            Self::Broken { .. } => None,
        }
    }
}

/// One sending of a request.
#[derive(Clone, Debug, Serialize)]
pub struct Attempt {
    /// The highest position that any client had been told of before it was sent.
    pub known_before: i64,
    /// What came back.
    pub outcome: Outcome,
}

/// A command, and everything that came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Command {
    /// The `Idempotency-Key`.
    pub key: String,
    /// Who asked; whom the answer names, where somebody registers.
    pub actor: Uuid,
    /// `POST /v1/…`.
    pub request: String,
    /// What it was to do; nothing where that cannot be said.
    pub effect: Option<Effect>,
    /// Every time that it was sent.
    pub attempts: Vec<Attempt>,
}

/// A query, and what it was to show.
#[derive(Clone, Debug, Serialize)]
pub struct Query {
    /// `GET /v1/…`.
    pub request: String,
    /// `Backscroll-Min-Position`.
    pub min_position: Option<i64>,
    /// What must be true of the answer.
    pub expects: Expects,
    /// What came back.
    pub outcome: Outcome,
}

/// What must be true of the answer to a query, where it is one.
#[derive(Clone, Debug, Serialize)]
pub enum Expects {
    /// The message with that content: the asker wrote it, and nobody else may change it.
    Message {
        /// The message.
        id: Uuid,
        /// Its text.
        content: String,
    },
    /// That message with that content and no other, by a search for what is in no other.
    Found {
        /// The message.
        id: Uuid,
        /// Its text.
        content: String,
    },
    /// The newest page of a channel, with that message on it, unless all of the page is newer.
    OnPage {
        /// The message.
        id: Uuid,
    },
    /// A search that finds nothing in that channel: the asker was removed from it before.
    NothingIn {
        /// The channel.
        channel: Uuid,
    },
    /// 403 or 404: the asker was removed before.
    Refusal,
}

/// Everything that was written down since it was last taken.
#[derive(Debug, Default)]
pub struct Taken {
    /// Commands that are over.
    pub commands: Vec<Command>,
    /// Queries.
    pub queries: Vec<Query>,
}

/// How often what came back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Commands.
    pub commands: usize,
    /// Queries.
    pub queries: usize,
    /// Answers that said: done.
    pub acks: usize,
    /// Answers that said: no.
    pub refusals: usize,
    /// Answers that said: later.
    pub later: usize,
    /// No answer.
    pub broken: usize,
}

impl Taken {
    /// Counts it.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut tally = Tally { commands: self.commands.len(), queries: self.queries.len(), ..Tally::default() };
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
    }
}

/// Where clients write.
#[derive(Debug)]
pub struct Recorder {
    file: Mutex<File>,
    taken: Mutex<Taken>,
    began: Instant,
}

impl Recorder {
    /// One that appends to a file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append_to(path: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self { file: Mutex::new(file), taken: Mutex::default(), began: Instant::now() })
    }

    /// Before a request is sent, and after it was answered.
    pub fn note(&self, what: &str, key: &str, said: &impl Serialize) {
        let line = json!({"ms": self.began.elapsed().as_millis() as u64, "what": what, "key": key, "said": said});
        // A record that cannot be written shows as a lost one would: the checker has the same from memory.
        let _ = writeln!(lock(&self.file), "{line}");
    }

    /// A command is over.
    pub fn command(&self, command: Command) {
        lock(&self.taken).commands.push(command);
    }

    /// A query is over.
    pub fn query(&self, query: Query) {
        self.note("query", "", &query);
        lock(&self.taken).queries.push(query);
    }

    /// What came since the last time.
    pub fn take(&self) -> Taken {
        std::mem::take(&mut *lock(&self.taken))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
