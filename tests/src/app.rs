//! A server of its own for each test: its own database, its own stream in NATS, its own keys in Redis, on a port that was free.

use std::ops::Deref;

use api::app::{App, Roles, Server};
use domain::message::Kind;
use domain::{DecodeError, Event, MessageEvent, Recorded};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::TestDatabase;
use crate::answer::Answer;
use crate::person::{PASSWORD, Person, send};
use crate::place::Place;
use crate::program::Program;
use crate::team::id;

/// A running server, and what it runs on.
pub struct TestApp {
    /// Where it serves.
    pub url: String,
    /// Where it serves operators.
    pub operators_url: String,
    // In this order they go: whoever works in the place before the place.
    server: Option<Server>,
    program: Option<Program>,
    place: Place,
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
        test.serve(roles).await;
        test
    }

    /// Starts it once more after [`TestApp::stop`], with everything that it can do.
    ///
    /// # Panics
    /// It does not start.
    pub async fn start_again(&mut self) {
        self.serve(Roles::ALL).await;
    }

    async fn serve(&mut self, roles: Roles) {
        let server = Server::start(self.place.app().await, roles).expect("a server");
        self.url = format!("http://{}", server.address().expect("an address"));
        self.operators_url = server.operators_address().map_or_else(String::new, |address| format!("http://{address}"));
        self.server = Some(server);
    }

    /// A fresh one, in a process of its own: the binary, with settings of the environment changed. It has no [`TestApp::app`].
    pub async fn start_program(changes: &[(&str, &str)]) -> Self {
        let mut test = Self::not_started(changes).await;
        let (program, url) = Program::serve(&test.place.environment);
        test.operators_url.clone_from(&program.operators_url);
        (test.program, test.url) = (Some(program), url);
        test
    }

    /// What one needs, and nobody who serves.
    pub async fn not_started(changes: &[(&str, &str)]) -> Self {
        Self::not_started_on(TestDatabase::create().await, changes)
    }

    /// The same, on a database that is there already.
    #[must_use]
    pub fn not_started_on(database: TestDatabase, changes: &[(&str, &str)]) -> Self {
        let small = [("BACKSCROLL_HTTP_WORKERS", "1"), ("BACKSCROLL_POSTGRES_CONNECTIONS", "10")];
        let place = Place::on(database, &[&small, changes].concat());
        Self { url: String::new(), operators_url: String::new(), server: None, program: None, place, http: reqwest::Client::new() }
    }

    /// The process that it runs in.
    ///
    /// # Panics
    /// It runs in this one.
    #[must_use]
    pub fn program(&self) -> &Program {
        self.program.as_ref().expect("a process of its own")
    }

    /// Kills the process that it runs in.
    pub fn kill_program(&mut self) {
        drop(self.program.take());
    }

    /// The parts that it runs.
    ///
    /// # Panics
    /// It was stopped.
    #[must_use]
    pub fn app(&self) -> &App {
        self.server.as_ref().expect("a running server").app()
    }

    /// What people have written, by the log: the texts are sealed there.
    ///
    /// # Panics
    /// The log cannot be read.
    pub async fn texts(&self) -> Vec<String> {
        let stores = &self.app().stores;
        let mut texts = Vec::new();
        let each = |event: Result<Recorded<Event>, DecodeError>| {
            if let Event::Message(MessageEvent::Posted(posting)) = event.expect("an event").event
                && posting.kind != Kind::System
            {
                texts.push(posting.content.to_string());
            }
        };
        stores::log::read_log(&stores.pool, &stores.keys, each).await.expect("the log");
        texts
    }

    /// Stops it, as Ctrl-C does.
    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    /// Registers a user of that name and signs them in.
    pub async fn sign_up(&self, name: &str) -> Person {
        self.sign_up_as(name, &format!("{name}.{}", Uuid::now_v7().simple())).await
    }

    /// Registers a user of that name and username, which nobody else has here, and signs them in.
    pub async fn sign_up_as(&self, name: &str, username: &str) -> Person {
        let email = format!("{username}@example.org");
        let registration = json!({"email": email, "username": username, "display_name": name, "password": PASSWORD});
        let registered = self.post("/v1/users", &registration).await.expect(201);
        let token = self.sign_in(&email).await;
        self.person(id(&registered, "user_id"), username, &email, token)
    }

    /// Somebody who has an account, with the token of a session of theirs.
    #[must_use]
    pub fn person(&self, id: Uuid, username: &str, email: &str, token: String) -> Person {
        Person { id, email: email.into(), username: username.into(), token, url: self.url.clone(), http: self.http.clone() }
    }

    /// Signs somebody in once more; returns the token.
    ///
    /// # Panics
    /// They are refused.
    pub async fn sign_in(&self, login: &str) -> String {
        self.sign_in_with(login, PASSWORD).await
    }

    /// Signs somebody in whose password is that; returns the token.
    ///
    /// # Panics
    /// They are refused.
    pub async fn sign_in_with(&self, login: &str, password: &str) -> String {
        let started = self.post("/v1/sessions", &json!({"login": login, "password": password})).await.expect(201);
        started["token"].as_str().expect("a token").to_owned()
    }

    /// Asks as nobody.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, None).await
    }

    /// Asks at the operators' address.
    pub async fn as_operator(&self, path: &str) -> Answer {
        send(self.http.get(format!("{}{path}", self.operators_url))).await
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
}

impl Deref for TestApp {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}
