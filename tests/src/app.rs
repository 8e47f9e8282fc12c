//! A server of its own for each test: its own database, its own stream in NATS, its own keys in Redis, on a port that was free.

use std::collections::BTreeMap;

use api::app::{App, Roles, Server};
use api::config::Settings;
use redis::AsyncCommands;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::TestDatabase;
use crate::answer::Answer;
use crate::person::{PASSWORD, Person, send};
use crate::program::Program;
use crate::servers::{address, nats};

/// 32 zeros: what is sealed in a test need not be secret.
const MASTER_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// A running server, and what it runs on.
pub struct TestApp {
    /// Where it serves.
    pub url: String,
    /// What its keys in Redis begin with.
    pub redis_prefix: String,
    /// The name of its stream.
    pub stream: String,
    /// Its database.
    pub database: TestDatabase,
    server: Option<Server>,
    program: Option<Program>,
    environment: BTreeMap<String, String>,
    http: reqwest::Client,
}

impl TestApp {
    /// A fresh one.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A fresh one, with settings of the environment changed.
    pub async fn start_with(changes: &[(&str, &str)]) -> Self {
        Self::start_as(Roles::ALL, changes).await
    }

    /// A fresh one that does only some things, with settings of the environment changed.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start_as(roles: Roles, changes: &[(&str, &str)]) -> Self {
        let mut test = Self::not_started(changes).await;
        let settings = Settings::from_sources(&test.environment, None).expect("the settings of a test");
        let app = App::connect(settings).await.expect("the servers that a test needs: run `make services` first");
        let server = Server::start(app, roles).expect("a server");
        test.url = format!("http://{}", server.address().expect("an address"));
        test.server = Some(server);
        test
    }

    /// A fresh one, in a process of its own: the binary, with settings of the environment changed. It has no [`TestApp::app`].
    pub async fn start_program(changes: &[(&str, &str)]) -> Self {
        let mut test = Self::not_started(changes).await;
        let (program, url) = Program::serve(&test.environment);
        (test.program, test.url) = (Some(program), url);
        test
    }

    /// What one needs, and nobody who serves.
    pub async fn not_started(changes: &[(&str, &str)]) -> Self {
        let database = TestDatabase::create().await;
        let name = Uuid::now_v7().simple().to_string();
        let (redis_prefix, stream) = (format!("test:{name}:"), format!("test-{name}"));
        let mut environment = BTreeMap::from([
            ("BACKSCROLL_POSTGRES_URL".to_owned(), database.url.clone()),
            ("BACKSCROLL_REDIS_URL".to_owned(), address("BACKSCROLL_REDIS_URL")),
            ("BACKSCROLL_NATS_URL".to_owned(), address("BACKSCROLL_NATS_URL")),
            ("BACKSCROLL_MASTER_KEY".to_owned(), MASTER_KEY.to_owned()),
            ("BACKSCROLL_LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("BACKSCROLL_HTTP_WORKERS".to_owned(), "1".to_owned()),
            ("BACKSCROLL_POSTGRES_CONNECTIONS".to_owned(), "10".to_owned()),
            ("BACKSCROLL_REDIS_KEY_PREFIX".to_owned(), redis_prefix.clone()),
            ("BACKSCROLL_NATS_STREAM".to_owned(), stream.clone()),
        ]);
        environment.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let (url, http) = (String::new(), reqwest::Client::new());
        Self { url, redis_prefix, stream, database, server: None, program: None, environment, http }
    }

    /// The settings that it runs with, as variables of the environment.
    #[must_use]
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// The process that it runs in.
    ///
    /// # Panics
    /// It runs in this one.
    #[must_use]
    pub fn program(&self) -> &Program {
        self.program.as_ref().expect("a process of its own")
    }

    /// The parts that it runs.
    ///
    /// # Panics
    /// It was stopped.
    #[must_use]
    pub fn app(&self) -> &App {
        self.server.as_ref().expect("a running server").app()
    }

    /// Stops it, as Ctrl-C does.
    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    /// Registers a user of that name and signs them in.
    pub async fn sign_up(&self, name: &str) -> Person {
        let username = format!("{name}.{}", Uuid::now_v7().simple());
        let email = format!("{username}@example.org");
        let registration = json!({"email": email, "username": username, "display_name": name, "password": PASSWORD});
        let registered = self.post("/v1/users", &registration).await.expect(201);
        let id = registered["user_id"].as_str().expect("a user").parse().expect("an identifier");
        let mut person = Person { id, email, username, token: String::new(), url: self.url.clone(), http: self.http.clone() };
        person.token = self.sign_in(&person.email).await;
        person
    }

    /// Signs somebody in once more; returns the token.
    ///
    /// # Panics
    /// They are refused.
    pub async fn sign_in(&self, login: &str) -> String {
        let started = self.post("/v1/sessions", &json!({"login": login, "password": PASSWORD})).await.expect(201);
        started["token"].as_str().expect("a token").to_owned()
    }

    /// Asks as nobody.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, None).await
    }

    /// Posts as nobody.
    pub async fn post(&self, path: &str, body: &serde_json::Value) -> Answer {
        self.request(Method::POST, path, Some(body)).await
    }

    /// Asks anything as nobody.
    pub async fn request(&self, method: Method, path: &str, body: Option<&serde_json::Value>) -> Answer {
        let request = self.http.request(method, format!("{}{path}", self.url));
        send(body.into_iter().fold(request, reqwest::RequestBuilder::json)).await
    }

    /// Forgets everything that Redis knows of this server.
    ///
    /// # Panics
    /// Redis does not answer.
    pub async fn empty_redis(&self) -> usize {
        let client = redis::Client::open(address("BACKSCROLL_REDIS_URL")).expect("the address of Redis");
        let mut connection = client.get_multiplexed_async_connection().await.expect("Redis");
        let keys = connection.keys::<_, Vec<String>>(format!("{}*", self.redis_prefix)).await.expect("the keys");
        for key in &keys {
            connection.del::<_, ()>(key).await.expect("the key goes");
        }
        keys.len()
    }
}

/// Leaves nothing behind in NATS; the database goes by itself, and keys of Redis expire.
impl Drop for TestApp {
    fn drop(&mut self) {
        drop((self.server.take(), self.program.take()));
        let stream = self.stream.clone();
        let deleted = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let _ = async_nats::jetstream::new(nats().await).delete_stream(&stream).await;
            });
            Ok::<(), std::io::Error>(())
        });
        // A test that has failed is not to fail once more for what it leaves behind.
        let _ = deleted.join();
    }
}
