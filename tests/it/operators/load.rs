//! Requests that do not stop while nodes are restarted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use super::owner::Owner;

/// How many clients send requests, each one after the other.
const CLIENTS: usize = 3;
/// The time between two requests of a client.
const PAUSE: Duration = Duration::from_millis(50);

/// The running clients.
pub struct Load {
    tasks: JoinSet<Sent>,
    ended: Arc<AtomicBool>,
}

/// What the clients have sent.
#[derive(Default)]
pub struct Sent {
    /// The number of posts.
    pub posts: i64,
    /// The number of queries.
    pub queries: i64,
    /// The requests that did not succeed.
    pub failed: Vec<String>,
}

impl Load {
    /// Starts the clients.
    pub fn start(owner: &Owner) -> Self {
        let (mut tasks, ended) = (JoinSet::new(), Arc::new(AtomicBool::new(false)));
        for _ in 0..CLIENTS {
            tasks.spawn(send_until(owner.clone(), ended.clone()));
        }
        Self { tasks, ended }
    }

    /// Ends the clients, and returns what they have sent together.
    pub async fn end(mut self) -> Sent {
        self.ended.store(true, Ordering::Relaxed);
        let mut all = Sent::default();
        while let Some(sent) = self.tasks.join_next().await {
            let sent = sent.expect("a client");
            all.posts += sent.posts;
            all.queries += sent.queries;
            all.failed.extend(sent.failed);
        }
        all
    }
}

async fn send_until(owner: Owner, ended: Arc<AtomicBool>) -> Sent {
    let mut sent = Sent::default();
    while !ended.load(Ordering::Relaxed) {
        let post = owner.request(Method::POST, &owner.messages).header("Idempotency-Key", Uuid::now_v7().to_string());
        sent.failed.extend(failure("post", post.json(&json!({"content": "during the restarts"})), 201).await);
        let query = owner.request(Method::GET, &format!("{}?limit=1", owner.messages));
        sent.failed.extend(failure("query", query, 200).await);
        sent.posts += 1;
        sent.queries += 1;
        sleep(PAUSE).await;
    }
    sent
}

/// Why a request did not succeed.
async fn failure(what: &str, request: RequestBuilder, expected: u16) -> Option<String> {
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return Some(format!("{what}: {error:?}")),
    };
    let status = response.status().as_u16();
    if status == expected { None } else { Some(format!("{what}: {status} {}", response.text().await.unwrap_or_default())) }
}
