//! How a client sends commands: with an idempotency key, repeatedly until an answer comes, and with a record of
//! everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use crate::record::{Attempt, Command, Effect, Expects, Outcome, Query, ROW_FOLLOWS, Recorder};
use crate::stack::HttpServer;

/// The longest time to wait for an answer. It is longer than every timeout of the server.
const ANSWER_MAX: Duration = Duration::from_secs(12);
/// A patient client pauses this many times longer.
const PATIENCE: u32 = 20;
/// The longest time that a client repeats a command.
const ASK_MAX: Duration = Duration::from_secs(45);

/// The state that all clients of a round share.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The recorder of requests and answers.
    pub recorder: Arc<Recorder>,
    /// The servers that clients may use.
    pub servers: Arc<Vec<HttpServer>>,
    /// The highest position in any answer so far.
    pub known: Arc<AtomicI64>,
    /// Whether the clients are to end soon.
    pub ending: Arc<AtomicBool>,
    /// Whether the clients pause for longer.
    pub patient: Arc<AtomicBool>,
    http: reqwest::Client,
    prefix: String,
}

impl Clients {
    /// The clients of a round, whose keys begin with `prefix`.
    ///
    /// # Errors
    /// Fails if TLS cannot be set up, which does not happen.
    pub fn new(recorder: Arc<Recorder>, servers: Arc<Vec<HttpServer>>, known: Arc<AtomicI64>, prefix: String) -> anyhow::Result<Self> {
        // Each request has a separate connection, so that a broken connection concerns this request only.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).timeout(ANSWER_MAX).build()?;
        Ok(Self { recorder, servers, known, ending: Arc::default(), patient: Arc::default(), http, prefix })
    }

    /// Creates one client.
    #[must_use]
    pub fn client(&self, name: &str, chance: StdRng) -> Client {
        Client { all: self.clone(), name: name.to_owned(), chance, keys: 0 }
    }

    /// Whether the clients are to end.
    #[must_use]
    pub fn are_ending(&self) -> bool {
        self.ending.load(Relaxed)
    }
}

/// A command for the server.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The body.
    pub body: Option<Value>,
    /// The expected effect on the log.
    pub effect: Option<Effect>,
}

/// One client.
#[derive(Debug)]
pub struct Client {
    /// The state that it shares with the other clients.
    pub all: Clients,
    /// Its source of random numbers.
    pub chance: StdRng,
    name: String,
    keys: u64,
}

/// The result of a command.
#[derive(Clone, Debug)]
pub struct Done {
    /// The position of the command.
    pub position: i64,
    /// The body of the answer.
    pub body: Value,
}

impl Done {
    /// An identifier in the body of the answer.
    #[must_use]
    pub fn id(&self, field: &str) -> Option<Uuid> {
        self.body.get(field)?.as_str()?.parse().ok()
    }
}

impl Client {
    /// Returns true in `percent` of 100 cases, at random.
    pub fn chance_of(&mut self, percent: u32) -> bool {
        self.chance.random_range(0..100) < percent
    }

    /// Waits for some milliseconds, or for much longer if the clients are patient.
    pub async fn pause(&mut self, up_to_ms: u64) {
        let pause = Duration::from_millis(self.chance.random_range(0..=up_to_ms));
        tokio::time::sleep(if self.all.patient.load(Relaxed) { pause * PATIENCE } else { pause }).await;
    }

    /// Runs a command, and repeats it as often as necessary. Returns `None` if the server refuses it, or if no answer
    /// comes for long.
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
        // Sends the answered command again, as a client that lost its state would.
        if done.is_some() && self.chance_of(10) {
            self.attempt(&mut command, token, &ask).await;
        }
        self.all.recorder.command(command);
        done
    }

    /// Requests a message, and records the expected content.
    pub async fn expect_message(&mut self, token: &str, id: Uuid, min_position: Option<i64>, content: String) {
        let path = format!("/v1/messages/{id}");
        self.query(token, path, min_position, Expects::Message { id, content }).await;
    }

    /// Requests the newest page of a channel, and records a message that must be on it.
    pub async fn expect_on_page(&mut self, token: &str, channel: Uuid, position: i64, id: Uuid) {
        let path = format!("/v1/channels/{channel}/messages?limit=100");
        self.query(token, path, Some(position), Expects::OnPage { id }).await;
    }

    /// Searches for a word that only this message has, and records the message that must be found.
    pub async fn expect_found(&mut self, token: &str, workspace: Uuid, word: &str, position: i64, (id, content): (Uuid, String)) {
        let path = format!("/v1/workspaces/{workspace}/search/messages?q={word}&order=newest");
        self.query(token, path, Some(position), Expects::Found { id, content }).await;
    }

    /// Searches for a word, and records that nothing of this channel may be found.
    pub async fn expect_nothing_in(&mut self, token: &str, workspace: Uuid, word: &str, channel: Uuid) {
        let path = format!("/v1/workspaces/{workspace}/search/messages?q={word}&order=newest&limit=100");
        self.query(token, path, None, Expects::NothingIn { channel }).await;
    }

    /// Sends a query that the server must refuse.
    pub async fn expect_refusal(&mut self, token: &str, path: String) {
        self.query(token, path, None, Expects::Refusal).await;
    }

    /// Sends any query.
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
        let index = self.chance.random_range(0..self.all.servers.len());
        let servers = self.all.servers.clone();
        let Some(door) = servers.get(index) else {
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
    let named = header("Location").filter(|_| status == ROW_FOLLOWS).and_then(|address| identifier_in(&address));
    let text = answer.text().await?;
    let body = serde_json::from_str::<Value>(&text).ok().or(named).unwrap_or(Value::String(text));
    let problem = body.get("code").and_then(Value::as_str).filter(|_| is_problem).map(str::to_owned);
    Ok(Outcome::Answered { status, position, retry_after, problem, body })
}

/// The identifier in an address such as `/v1/users/…`, as a row has it: `{"user_id": …}`.
fn identifier_in(address: &str) -> Option<Value> {
    let (before, id) = address.rsplit_once('/')?;
    let kind = before.rsplit('/').next()?.strip_suffix('s')?;
    Some(serde_json::json!({format!("{kind}_id"): id}))
}

impl Client {
    /// Signs a user in. Returns `None` if no answer comes.
    pub async fn sign_in(&mut self, login: &str, password: &str) -> Option<String> {
        let body = Some(serde_json::json!({"login": login, "password": password}));
        let ask = Ask { method: Method::POST, path: "/v1/sessions".to_owned(), body, effect: None };
        match self.send("", &ask, None, None).await {
            Outcome::Answered { status: 201, body, .. } => Some(body.get("token")?.as_str()?.to_owned()),
            _ => None,
        }
    }
}
