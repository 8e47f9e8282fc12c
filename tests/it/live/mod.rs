//! Live connections and pages of changes, for the users who may see the events.

mod autobahn;
mod clients;
mod cookie;
mod drain;
mod ends;
mod hostile;
mod law;
mod notices;
mod presence;
mod resume;
mod slow;
mod sockets;
mod sse;
mod tickets;
mod typing;
mod unread;

use rustix::net::sockopt::set_socket_recv_buffer_size;
use serde_json::Value;
use tests::{Person, Team, TestApp};
use tokio::net::{TcpSocket, TcpStream};

/// A second server on the same stores.
async fn second(first: &TestApp) -> TestApp {
    second_with(first, &[]).await
}

/// A second server on the same stores, with these changes to its environment.
async fn second_with(first: &TestApp, changes: &[(&str, &str)]) -> TestApp {
    let shared = [
        ("BACKSCROLL_POSTGRES_URL", first.database.url.as_str()),
        ("BACKSCROLL_NATS_STREAM", &first.stream),
        ("BACKSCROLL_REDIS_KEY_PREFIX", &first.redis_prefix),
    ];
    TestApp::start_with(&[&shared, changes].concat()).await
}

/// The frames behind a cursor, as pages have them.
async fn pages(person: &Person, team: &Team, after: &str) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), after.to_owned());
    loop {
        let page = person.get(&team.path(&format!("/changes?limit=100&after={after}"))).await.expect(200);
        all.extend(page["items"].as_array().expect("frames").clone());
        page["next"].as_str().expect("a cursor").clone_into(&mut after);
        if page["has_more"] == false {
            return all;
        }
    }
}

/// The texts of the messages of frames.
fn texts(frames: &[Value]) -> Vec<String> {
    frames.iter().filter_map(|frame| frame["message"]["content"].as_str().map(str::to_owned)).collect()
}

/// The names of the events of frames.
fn names(frames: &[Value]) -> Vec<&str> {
    frames.iter().filter_map(|frame| frame["event"].as_str()).collect()
}

/// A connection whose client's system keeps few bytes.
async fn small(app: &TestApp) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    set_socket_recv_buffer_size(&socket, 4096).expect("a small buffer");
    let address = app.url.trim_start_matches("http://").parse().expect("an address");
    socket.connect(address).await.expect("a connection")
}
