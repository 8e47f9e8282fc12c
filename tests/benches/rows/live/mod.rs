//! Sockets: the latency of messages, the number of sockets, and their cost.

pub mod crowd;
pub mod online;
pub mod posts;
pub mod resume;
pub mod revoked;
pub mod room;

use domain::ids::WorkspaceId;
use serde_json::Value;

use crate::client::Client;
use crate::served::Served;

/// The identifier of the server's log, which cursors begin with.
async fn log_of(served: &Served, token: &str, workspace_id: WorkspaceId) -> String {
    let answer = Client::connect(served.address, Some(token)).await.get(&format!("/v1/workspaces/{workspace_id}/changes")).await;
    let page = serde_json::from_slice::<Value>(&answer.body).expect("JSON");
    page["log_id"].as_str().expect("a log").to_owned()
}
