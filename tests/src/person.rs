//! A signed-in user, and their requests over HTTP.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::Answer;
use crate::app::TestApp;
use crate::contract;

/// The password of every test user.
pub const PASSWORD: &str = "correct horse battery";

/// A signed-in user.
#[derive(Clone)]
pub struct Person {
    /// The user's identifier.
    pub id: Uuid,
    /// The user's email address.
    pub email: String,
    /// The name by which others mention the user.
    pub username: String,
    /// The token of the user's session.
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

    /// The same session, from this client address and with this user agent. The server trusts the proxy that reports
    /// the address.
    ///
    /// # Panics
    /// Panics if an argument is not a valid header value.
    #[must_use]
    pub fn coming_from(&self, address: &str, user_agent: &str) -> Self {
        let forwarded = (HeaderName::from_static("x-forwarded-for"), HeaderValue::from_str(address).expect("a header"));
        let client = reqwest::Client::builder().user_agent(user_agent).default_headers(HeaderMap::from_iter([forwarded]));
        Self { http: client.build().expect("a client"), ..self.clone() }
    }

    /// The same session, used at another server.
    #[must_use]
    pub fn at(&self, app: &TestApp) -> Self {
        Self { url: app.url.clone(), ..self.clone() }
    }

    /// The same session, used at the server at this address.
    #[must_use]
    pub fn at_url(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// A request with the user's token. The caller completes it and passes it to [`send`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    /// Sends a GET request.
    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// Sends a GET request that waits until the read model has reached this position.
    pub async fn get_at(&self, position: i64, path: &str) -> Answer {
        send(self.request(Method::GET, path).header("Backscroll-Min-Position", position)).await
    }

    /// Sends a POST request.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).json(&body)).await
    }

    /// Sends a POST request with an idempotency key.
    pub async fn post_once(&self, key: &str, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).header("Idempotency-Key", key).json(&body)).await
    }

    /// Sends a PUT request.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::PUT, path).json(&body)).await
    }

    /// Sends a PUT request without a body.
    pub async fn put_empty(&self, path: &str) -> Answer {
        send(self.request(Method::PUT, path)).await
    }

    /// Sends a PATCH request.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::PATCH, path).json(&body)).await
    }

    /// Sends a POST request that confirms the user's password.
    pub async fn post_confirmed(&self, path: &str) -> Answer {
        self.post(path, json!({"current_password": PASSWORD})).await
    }

    /// Sends a DELETE request that confirms the user's password.
    pub async fn delete_confirmed(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path).json(&json!({"current_password": PASSWORD}))).await
    }

    /// Sends a DELETE request.
    pub async fn delete(&self, path: &str) -> Answer {
        send(self.request(Method::DELETE, path)).await
    }
}

/// Sends a request, and reads the whole answer.
///
/// # Panics
/// Panics if the server does not answer.
pub async fn send(request: RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.expect("a request");
    let asked = format!("{} {}", request.method(), request.url().path());
    let response = client.execute(request).await.unwrap_or_else(|error| panic!("no answer to {asked}: {error}"));
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap_or_else(|error| panic!("the answer to {asked} broke off: {error}"));
    let body = match text.as_str() {
        "" => Value::Null,
        text => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
    };
    let answer = Answer { asked, status, headers, body };
    contract::check(&answer);
    answer
}
