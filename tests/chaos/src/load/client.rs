//! How a client asks: under a key, again and again until there is an answer, and everything is written down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use crate::record::{Attempt, Command, Effect, Expects, Outcome, Query, Recorder};
use crate::stack::Door;

/// How long an answer may take: longer than whatever the server waits for itself.
const ANSWER_MAX: Duration = Duration::from_secs(12);
/// How much longer a patient client thinks.
const PATIENCE: u32 = 20;
/// How long a client goes on asking.
const ASK_MAX: Duration = Duration::from_secs(45);

/// What all clients share.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Where they write down.
    pub recorder: Arc<Recorder>,
    /// Where they may ask.
    pub doors: Arc<Vec<Door>>,
    /// The highest position that any was told of.
    pub known: Arc<AtomicI64>,
    /// They end soon.
    pub ending: Arc<AtomicBool>,
    /// They think for longer.
    pub patient: Arc<AtomicBool>,
    http: reqwest::Client,
    prefix: String,
}

impl Clients {
    /// Clients of a round, whose keys begin with `prefix`.
    ///
    /// # Errors
    /// There is no TLS: cannot be.
    pub fn new(recorder: Arc<Recorder>, doors: Arc<Vec<Door>>, known: Arc<AtomicI64>, prefix: String) -> anyhow::Result<Self> {
        // A connection for each request: a broken one then says something about this request, and not about an earlier one.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).timeout(ANSWER_MAX).build()?;
        Ok(Self { recorder, doors, known, ending: Arc::default(), patient: Arc::default(), http, prefix })
    }

    /// One of them.
    #[must_use]
    pub fn client(&self, name: &str, chance: StdRng) -> Client {
        Client { all: self.clone(), name: name.to_owned(), chance, keys: 0 }
    }

    /// Whether they are to end.
    #[must_use]
    pub fn are_ending(&self) -> bool {
        self.ending.load(Relaxed)
    }
}

/// What is to be asked.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The body.
    pub body: Option<Value>,
    /// What it is to do.
    pub effect: Option<Effect>,
}

/// One client.
#[derive(Debug)]
pub struct Client {
    /// What it shares.
    pub all: Clients,
    /// Its chance.
    pub chance: StdRng,
    name: String,
    keys: u64,
}

/// What a command came to.
#[derive(Clone, Debug)]
pub struct Done {
    /// Its position.
    pub position: i64,
    /// The body of the answer.
    pub body: Value,
}

impl Done {
    /// An identifier that the answer names.
    #[must_use]
    pub fn id(&self, field: &str) -> Option<Uuid> {
        self.body.get(field)?.as_str()?.parse().ok()
    }
}

impl Client {
    /// Whether chance says so, in so many of 100 cases.
    pub fn chance_of(&mut self, percent: u32) -> bool {
        self.chance.random_range(0..100) < percent
    }

    /// Waits for some milliseconds, or for much longer where they are to be patient.
    pub async fn pause(&mut self, up_to_ms: u64) {
        let pause = Duration::from_millis(self.chance.random_range(0..=up_to_ms));
        tokio::time::sleep(if self.all.patient.load(Relaxed) { pause * PATIENCE } else { pause }).await;
    }

    /// Has a command done, however often it must ask; nothing where it is refused, or nobody answers for long.
    pub async fn command(&mut self, actor: Uuid, token: &str, ask: Ask) -> Option<Done> {
        self.keys += 1;
        let key = format!("{}-{}-{}", self.all.prefix, self.name, self.keys);
        let request = format!("{} {}", ask.method, ask.path);
        let mut command = Command { key, actor, request, effect: ask.effect.clone(), attempts: Vec::new() };
        self.all.recorder.note("asks", &command.key, &(&command.request, &ask.body, actor));
        let deadline = Instant::now() + ASK_MAX;
        let mut done = None;
        while done.is_none() && Instant::now() < deadline {
            let outcome = self.attempt(&mut command, token, &ask).await;
            match outcome {
                Outcome::Answered { status: 503, .. } | Outcome::Broken { .. } => self.pause(150).await,
                Outcome::Answered { status: 200..300, position, body, .. } => {
                    if command.actor.is_nil() {
                        command.actor = body.get("user_id").and_then(Value::as_str).and_then(|id| id.parse().ok()).unwrap_or_default();
                    }
                    done = Some(Done { position: position.unwrap_or_default(), body });
                }
                Outcome::Answered { .. } => break,
            }
        }
        // Once more, though it was answered: as a client that has forgotten.
        if done.is_some() && self.chance_of(10) {
            self.attempt(&mut command, token, &ask).await;
        }
        self.all.recorder.command(command);
        done
    }

    /// Asks for a message, and writes down what it is to be.
    pub async fn expect_message(&mut self, token: &str, id: Uuid, min_position: Option<i64>, content: String) {
        let path = format!("/v1/messages/{id}");
        self.query(token, path, min_position, Expects::Message { id, content }).await;
    }

    /// Asks for the newest page of a channel, and writes down what is to be on it.
    pub async fn expect_on_page(&mut self, token: &str, channel: Uuid, position: i64, id: Uuid) {
        let path = format!("/v1/channels/{channel}/messages?limit=100");
        self.query(token, path, Some(position), Expects::OnPage { id }).await;
    }

    /// Searches for a word that is in that message alone, and writes down what is to be found.
    pub async fn expect_found(&mut self, token: &str, workspace: Uuid, word: &str, position: i64, (id, content): (Uuid, String)) {
        let path = format!("/v1/workspaces/{workspace}/search/messages?q={word}&order=newest");
        self.query(token, path, Some(position), Expects::Found { id, content }).await;
    }

    /// Searches for a word, of which nothing is to be found in a channel.
    pub async fn expect_nothing_in(&mut self, token: &str, workspace: Uuid, word: &str, channel: Uuid) {
        let path = format!("/v1/workspaces/{workspace}/search/messages?q={word}&order=newest&limit=100");
        self.query(token, path, None, Expects::NothingIn { channel }).await;
    }

    /// Asks for what must be refused.
    pub async fn expect_refusal(&mut self, token: &str, path: String) {
        self.query(token, path, None, Expects::Refusal).await;
    }

    /// Asks for anything that can be read.
    pub async fn get(&mut self, token: &str, path: &str) -> Option<Value> {
        let ask = Ask { method: Method::GET, path: path.to_owned(), body: None, effect: None };
        match self.send(token, &ask, None, None).await {
            Outcome::Answered { status: 200, body, .. } => Some(body),
            _ => None,
        }
    }

    async fn query(&mut self, token: &str, path: String, min_position: Option<i64>, expects: Expects) {
        let request = format!("GET {path}");
        let ask = Ask { method: Method::GET, path, body: None, effect: None };
        let outcome = self.send(token, &ask, None, min_position).await;
        self.all.recorder.query(Query { request, min_position, expects, outcome });
    }

    async fn attempt(&mut self, command: &mut Command, token: &str, ask: &Ask) -> Outcome {
        let known_before = self.all.known.load(Relaxed);
        let outcome = self.send(token, ask, Some(&command.key), None).await;
        if let Some(position) = outcome.position() {
            self.all.known.fetch_max(position, Relaxed);
        }
        self.all.recorder.note("answer", &command.key, &outcome);
        command.attempts.push(Attempt { known_before, outcome: outcome.clone() });
        outcome
    }

    async fn send(&mut self, token: &str, ask: &Ask, key: Option<&str>, min_position: Option<i64>) -> Outcome {
        let index = self.chance.random_range(0..self.all.doors.len());
        let doors = self.all.doors.clone();
        let Some(door) = doors.get(index) else {
            return Outcome::Broken { error: "there is no door".to_owned(), unsent: true, excused: false };
        };
        let mut request = self.all.http.request(ask.method.clone(), format!("{}{}", door.url, ask.path));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        request = key.into_iter().fold(request, |request, key| request.header("Idempotency-Key", key));
        request = min_position.into_iter().fold(request, |request, position| request.header("Backscroll-Min-Position", position));
        request = ask.body.iter().fold(request, |request, body| request.json(body));
        let sent = Instant::now();
        match read(request).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Broken {
                error: format!("{error:?}"),
                unsent: error.is_connect(),
                excused: door.downtime.overlaps(sent, Instant::now()),
            },
        }
    }
}

async fn read(request: reqwest::RequestBuilder) -> Result<Outcome, reqwest::Error> {
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let position = header("Backscroll-Position").and_then(|text| text.parse().ok());
    let retry_after = header("Retry-After").and_then(|text| text.parse().ok());
    let is_problem = header("Content-Type").is_some_and(|media_type| media_type == "application/problem+json");
    let text = answer.text().await?;
    let body = serde_json::from_str::<Value>(&text).unwrap_or(Value::String(text));
    let problem = body.get("code").and_then(Value::as_str).filter(|_| is_problem).map(str::to_owned);
    Ok(Outcome::Answered { status, position, retry_after, problem, body })
}

impl Client {
    /// Signs somebody in; nothing where that is not answered.
    pub async fn sign_in(&mut self, login: &str, password: &str) -> Option<String> {
        let body = Some(serde_json::json!({"login": login, "password": password}));
        let ask = Ask { method: Method::POST, path: "/v1/sessions".to_owned(), body, effect: None };
        match self.send("", &ask, None, None).await {
            Outcome::Answered { status: 201, body, .. } => Some(body.get("token")?.as_str()?.to_owned()),
            _ => None,
        }
    }
}
