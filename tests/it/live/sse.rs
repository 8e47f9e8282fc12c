//! Server-sent events: the same frames, with the cursor as the identifier. And both transports behind a proxy.

use futures::StreamExt;
use reqwest::Method;
use serde_json::Value;
use tests::servers::free_port;
use tests::{Nginx, Person, Team, TestApp};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{pages, texts};

/// A stream of server-sent events.
struct Events {
    answer: reqwest::Response,
    text: String,
    last_id: String,
}

impl Events {
    async fn open(person: &Person, last: Option<&str>) -> Self {
        let request = person.request(Method::GET, "/v1/live").header("accept", "text/event-stream");
        let request = last.into_iter().fold(request, |request, last| request.header("last-event-id", last));
        let answer = request.send().await.expect("an answer");
        Self::of(answer)
    }

    fn of(answer: reqwest::Response) -> Self {
        assert_eq!(answer.status(), 200);
        for (name, value) in [("content-type", "text/event-stream"), ("cache-control", "no-store")] {
            assert_eq!(answer.headers().get(name).and_then(|value| value.to_str().ok()), Some(value), "{name}");
        }
        Self { answer, text: String::new(), last_id: String::new() }
    }

    /// The next event: its name and its data. `None` at the end of the stream.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                if let Some(id) = field("id: ") {
                    self.last_id = id;
                }
                if let Some(data) = field("data: ") {
                    return Some((field("event: ").unwrap_or_default(), serde_json::from_str(&data).expect("JSON")));
                }
            }
            let chunk = self.answer.chunk().await.expect("bytes")?;
            self.text += std::str::from_utf8(&chunk).expect("text");
        }
    }

    async fn events_to(&mut self, position: i64) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let (_, frame) = self.next().await.expect("an event");
            if frame["type"] == "event" {
                events.push(frame.clone());
            }
            if frame["position"].as_i64().is_some_and(|at| frame["type"] == "event" && at >= position) {
                return events;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_events_are_the_frames_of_pages_and_an_event_source_comes_back_by_its_last_one() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let mut events = Events::open(&team.member, None).await;
    let (_, hello) = events.next().await.expect("an event");
    assert_eq!((hello["type"].as_str(), events.last_id.as_str()), (Some("hello"), hello["cursor"].as_str().expect("a cursor")));
    let begin = events.last_id.clone();
    team.message(&team.owner, team.general, "one").await;
    let last = team.post(&team.owner, team.general, "two").await.position();
    assert_eq!(events.events_to(last).await, pages(&team.member, &team, &begin).await);
    let cursor = events.last_id.clone();
    assert!(cursor.ends_with(&format!(":{last}")), "{cursor}");
    drop(events);

    team.message(&team.owner, team.general, "three").await;
    let last = team.post(&team.owner, team.general, "four").await.position();
    let mut again = Events::open(&team.member, Some(&cursor)).await;
    assert_eq!(again.next().await.expect("an event").1["resumed"], true);
    assert_eq!(texts(&again.events_to(last).await), ["three", "four"]);

    // The end of the session: a last event with the close code, and the end of the stream.
    team.member.delete("/v1/sessions/current").await.expect(204);
    let (name, close) = again.next().await.expect("an event");
    assert_eq!((name.as_str(), close["code"].as_u64()), ("close", Some(4101)), "{close}");
    assert_eq!(again.next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_transports_pass_through_nginx() {
    let app = TestApp::start_with(&[("BACKSCROLL_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let team = Team::found(&app).await;
    let (node, away) = (app.url.trim_start_matches("http://"), format!("127.0.0.1:{}", free_port()));
    let nginx = Nginx::start([node, &away]).await;
    let live = || nginx.client().get(format!("{}/v1/live", nginx.url)).bearer_auth(&team.member.token);

    let mut events = Events::of(live().header("accept", "text/event-stream").send().await.expect("an answer"));
    assert_eq!(events.next().await.expect("an event").1["type"], "hello");
    let shaking = live().header("connection", "Upgrade").header("upgrade", "websocket").header("sec-websocket-version", "13");
    let answer = shaking.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").send().await.expect("an answer");
    assert_eq!(answer.status(), 101);
    assert_eq!(answer.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let mut socket = WebSocketStream::from_raw_socket(answer.upgrade().await.expect("a connection"), Role::Client, None).await;
    let mut next = async || serde_json::from_str::<Value>(socket.next().await?.ok()?.to_text().ok()?).ok();
    assert_eq!(next().await.expect("a frame")["type"], "hello");
    let last = team.post(&team.owner, team.general, "through nginx").await.position();
    assert_eq!(next().await.expect("a frame")["position"], last);
    assert_eq!(texts(&events.events_to(last).await), ["through nginx"]);
}
