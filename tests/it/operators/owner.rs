//! The first user of a server, who talks to the nodes through nginx, or to one of them.

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tests::answer::Answer;
use tests::person::{PASSWORD, send};
use tests::team::id;
use tests::{Nginx, eventually};

/// The domain of the workspace.
pub const DOMAIN: &str = "demo.backscroll.example";

/// The first user of the server, signed in.
#[derive(Clone)]
pub struct Owner {
    http: Client,
    url: String,
    token: String,
    /// The path of the workspace.
    pub workspace: String,
    /// The path of the messages of #general.
    pub messages: String,
}

impl Owner {
    /// Registers the first user, who creates the workspace.
    pub async fn register(nginx: &Nginx) -> Self {
        Self::register_at(nginx.client(), &nginx.url).await
    }

    /// The same at this address.
    pub async fn register_at(http: Client, url: &str) -> Self {
        let registration = json!({"email": "owner@example.org", "username": "owner", "display_name": "The owner", "password": PASSWORD});
        send(http.post(format!("{url}/v1/users")).json(&registration)).await.expect(201);
        let sign_in = json!({"login": "owner@example.org", "password": PASSWORD});
        let started = send(http.post(format!("{url}/v1/sessions")).json(&sign_in)).await.expect(201);
        let token = started["token"].as_str().expect("a token").to_owned();
        let mut owner = Self { http, url: url.to_owned(), token, workspace: String::new(), messages: String::new() };
        let created = owner.post("/v1/workspaces", &json!({"name": "Demo", "domain": DOMAIN})).await.expect(201);
        owner.workspace = format!("/v1/workspaces/{}", id(&created, "workspace_id"));
        eventually("the workspace can be read", async || owner.get(&owner.workspace).await.status == 200).await;
        let shown = owner.get(&owner.workspace).await.expect(200);
        owner.messages = format!("/v1/channels/{}/messages", id(&shown, "general_channel_id"));
        owner
    }

    /// The same session at another address.
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// A request with the user's token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).json(body)).await
    }

    /// Posts a message, and waits until the read side shows it.
    pub async fn says(&self, text: &str) {
        self.post(&self.messages, &json!({"content": text})).await.expect(201);
        eventually("the message can be read", async || self.newest().await.as_deref() == Some(text)).await;
    }

    /// The text of the newest message. `None` if the server does not answer as usual.
    pub async fn newest(&self) -> Option<String> {
        let page = self.get(&format!("{}?limit=1", self.messages)).await;
        page.body["items"][0]["content"].as_str().map(str::to_owned)
    }
}
