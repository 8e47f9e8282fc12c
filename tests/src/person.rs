//! Somebody who is signed in, and what they ask over HTTP.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::Answer;
use crate::app::TestApp;

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery";

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Person {
    /// The user.
    pub id: Uuid,
    /// Their address for mail.
    pub email: String,
    /// The name that others mention.
    pub username: String,
    /// Their session's token.
    pub token: String,
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
}

impl Person {
    /// The same user with another session.
    #[must_use]
    pub fn with_token(&self, token: String) -> Self {
        Self { token, ..self.clone() }
    }

    /// The same session from that address, behind a proxy that the server trusts, by a client that calls itself so.
    ///
    /// # Panics
    /// They are no headers.
    #[must_use]
    pub fn coming_from(&self, address: &str, user_agent: &str) -> Self {
        let forwarded = (HeaderName::from_static("x-forwarded-for"), HeaderValue::from_str(address).expect("a header"));
        let client = reqwest::Client::builder().user_agent(user_agent).default_headers(HeaderMap::from_iter([forwarded]));
        Self { http: client.build().expect("a client"), ..self.clone() }
    }

    /// The same session at another server.
    #[must_use]
    pub fn at(&self, app: &TestApp) -> Self {
        Self { url: app.url.clone(), ..self.clone() }
    }

    /// The same session at a process of its own.
    #[must_use]
    pub fn at_url(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// A request of theirs, to be completed and [`send`]t.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// Reads what the read model knows once it has come to that position.
    pub async fn get_at(&self, position: i64, path: &str) -> Answer {
        send(self.request(Method::GET, path).header("Backscroll-Min-Position", position)).await
    }

    /// Posts.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).json(&body)).await
    }

    /// Posts under a key.
    pub async fn post_once(&self, key: &str, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).header("Idempotency-Key", key).json(&body)).await
    }

    /// Puts.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::PUT, path).json(&body)).await
    }

    /// Puts, without a body.
    pub async fn put_empty(&self, path: &str) -> Answer {
        send(self.request(Method::PUT, path)).await
    }

    /// Changes in part.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::PATCH, path).json(&body)).await
    }

    /// Posts, with their password once more.
    pub async fn post_confirmed(&self, path: &str) -> Answer {
        self.post(path, json!({"current_password": PASSWORD})).await
    }

    /// Deletes, with their password once more.
    pub async fn delete_confirmed(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path).json(&json!({"current_password": PASSWORD}))).await
    }

    /// Deletes.
    pub async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }
}

/// Sends a request and reads the answer to its end.
///
/// # Panics
/// The server does not answer.
pub async fn send(request: RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.expect("a request");
    let asked = format!("{} {}", request.method(), request.url().path());
    let response = client.execute(request).await.unwrap_or_else(|error| panic!("{asked} is not answered: {error}"));
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap_or_else(|error| panic!("the answer to {asked} broke off: {error}"));
    let body = match text.as_str() {
        "" => Value::Null,
        text => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
    };
    Answer { asked, status, headers, body }
}
