//! A separate server for each test. It has its own database, NATS stream and Redis keys, and listens at a free port.

use std::ops::Deref;

use api::app::{App, Roles, Server};
use domain::message::Kind;
use domain::{DecodeError, Event, MessageEvent, Recorded};
use reqwest::Method;
use serde_json::json;
use stores::clock::Clock;
use uuid::Uuid;

use crate::TestDatabase;
use crate::answer::Answer;
use crate::person::{PASSWORD, Person, send};
use crate::place::Place;
use crate::program::Program;
use crate::team::id;

/// A running server with its database, stream and keys.
pub struct TestApp {
    /// The server's address.
    pub url: String,
    /// The server's address for operators.
    pub operators_url: String,
    // Fields are dropped in this order: first the servers that use the place, then the place.
    server: Option<Server>,
    program: Option<Program>,
    place: Place,
    http: reqwest::Client,
}

impl TestApp {
    /// Starts a new server.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts a new server with these changes to its environment.
    pub async fn start_with(changes: &[(&str, &str)]) -> Self {
        Self::start_as(Roles::ALL, changes).await
    }

    /// Starts a new server with these roles only, and with these changes to its environment.
    ///
    /// # Panics
    /// Panics if the server does not start.
    pub async fn start_as(roles: Roles, changes: &[(&str, &str)]) -> Self {
        let mut test = Self::not_started(changes).await;
        test.serve(roles, Clock::SYSTEM).await;
        test
    }

    /// Starts a new server whose clock differs from the machine's, with these changes to its environment.
    pub async fn start_at(clock: Clock, changes: &[(&str, &str)]) -> Self {
        let mut test = Self::not_started(changes).await;
        test.serve(Roles::ALL, clock).await;
        test
    }

    /// Starts the server again after [`TestApp::stop`], with all roles.
    ///
    /// # Panics
    /// Panics if the server does not start.
    pub async fn start_again(&mut self) {
        self.serve(Roles::ALL, Clock::SYSTEM).await;
    }

    async fn serve(&mut self, roles: Roles, clock: Clock) {
        let server = Server::start(self.place.app_at(clock).await, roles).expect("a server");
        self.url = format!("http://{}", server.address().expect("an address"));
        self.operators_url = server.operators_address().map_or_else(String::new, |address| format!("http://{address}"));
        self.server = Some(server);
    }

    /// Starts a new server as a separate process: the binary, with these changes to its environment. It has no
    /// [`TestApp::app`].
    pub async fn start_program(changes: &[(&str, &str)]) -> Self {
        let mut test = Self::not_started(changes).await;
        let (program, url) = Program::serve(&test.place.environment);
        test.operators_url.clone_from(&program.operators_url);
        (test.program, test.url) = (Some(program), url);
        test
    }

    /// Prepares everything that a server needs, and starts no server.
    pub async fn not_started(changes: &[(&str, &str)]) -> Self {
        Self::not_started_on(TestDatabase::create().await, changes)
    }

    /// Prepares everything that a server needs on an existing database, and starts no server.
    #[must_use]
    pub fn not_started_on(database: TestDatabase, changes: &[(&str, &str)]) -> Self {
        let small = [("BACKSCROLL_HTTP_WORKERS", "1"), ("BACKSCROLL_POSTGRES_CONNECTIONS", "10")];
        let place = Place::on(database, &[&small, changes].concat());
        Self { url: String::new(), operators_url: String::new(), server: None, program: None, place, http: reqwest::Client::new() }
    }

    /// The process of the server.
    ///
    /// # Panics
    /// Panics if the server runs inside the test's process.
    #[must_use]
    pub fn program(&self) -> &Program {
        self.program.as_ref().expect("a process of its own")
    }

    /// Kills the server's process.
    pub fn kill_program(&mut self) {
        drop(self.program.take());
    }

    /// The parts of the running server.
    ///
    /// # Panics
    /// Panics if the server was stopped.
    #[must_use]
    pub fn app(&self) -> &App {
        self.server.as_ref().expect("a running server").app()
    }

    /// The texts of all posted messages. They are sealed in the log; this function unseals them.
    ///
    /// # Panics
    /// Panics if the log cannot be read.
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

    /// Stops the server, as Ctrl-C does.
    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    /// Registers a user with this name, and signs them in.
    pub async fn sign_up(&self, name: &str) -> Person {
        self.sign_up_as(name, &format!("{name}.{}", Uuid::now_v7().simple())).await
    }

    /// Registers a user with this name and this username, and signs them in. The username must be free on this server.
    pub async fn sign_up_as(&self, name: &str, username: &str) -> Person {
        let email = format!("{username}@example.org");
        let registration = json!({"email": email, "username": username, "display_name": name, "password": PASSWORD});
        let registered = self.post("/v1/users", &registration).await.expect(201);
        let token = self.sign_in(&email).await;
        self.person(id(&registered, "user_id"), username, &email, token)
    }

    /// An existing user with the token of one of their sessions.
    #[must_use]
    pub fn person(&self, id: Uuid, username: &str, email: &str, token: String) -> Person {
        Person { id, email: email.into(), username: username.into(), token, url: self.url.clone(), http: self.http.clone() }
    }

    /// Signs a user in again, and returns the token.
    ///
    /// # Panics
    /// Panics if the server refuses the sign-in.
    pub async fn sign_in(&self, login: &str) -> String {
        self.sign_in_with(login, PASSWORD).await
    }

    /// Signs a user in with this password, and returns the token.
    ///
    /// # Panics
    /// Panics if the server refuses the sign-in.
    pub async fn sign_in_with(&self, login: &str, password: &str) -> String {
        let started = self.post("/v1/sessions", &json!({"login": login, "password": password})).await.expect(201);
        started["token"].as_str().expect("a token").to_owned()
    }

    /// Sends a GET request without a token.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, None).await
    }

    /// Sends a GET request to the operators' address.
    pub async fn as_operator(&self, path: &str) -> Answer {
        send(self.http.get(format!("{}{path}", self.operators_url))).await
    }

    /// Sends a POST request without a token.
    pub async fn post(&self, path: &str, body: &serde_json::Value) -> Answer {
        self.request(Method::POST, path, Some(body)).await
    }

    /// Sends any request without a token.
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
