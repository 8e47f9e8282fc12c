//! A write, then a read: a session reads its own writes without any header, on every server and in every list. A
//! command answers with the row that it made or changed, and each address that an answer names can be read at once.

use std::collections::BTreeSet;
use std::time::Duration;

use api::app::Roles;
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};
use tests::answer::Answer;
use tests::person::{PASSWORD, send};
use tests::team::id;
use tests::{Person, Team, TestApp};
use tokio::time::Instant;
use uuid::Uuid;

/// How many writes each user of the law makes.
const STEPS: usize = 60;
/// The rows of a page, so that a page has everything that the users of the law write.
const PAGE: &str = "limit=100";

/// Another server of the same database.
async fn another(app: &TestApp, changes: &[(&str, &str)]) -> TestApp {
    let shared = [
        ("BACKSCROLL_POSTGRES_URL", app.database.url.as_str()),
        ("BACKSCROLL_NATS_STREAM", &app.stream),
        ("BACKSCROLL_REDIS_KEY_PREFIX", &app.redis_prefix),
    ];
    TestApp::start_with(&[&shared, changes].concat()).await
}

/// A user who writes at one server, and reads at one of both right afterwards.
struct Writer {
    person: Person,
    urls: [String; 2],
    team: [Uuid; 2],
    chance: StdRng,
    /// The channel that the user created last. They are its admin.
    channel: Option<Uuid>,
    /// The user's messages in #general that are not deleted.
    messages: Vec<Uuid>,
    has_markers: bool,
}

impl Writer {
    fn somewhere(&mut self) -> Person {
        let at = self.chance.random_range(0..2);
        self.person.at_url(&self.urls[at])
    }

    fn workspace(&self, below: &str) -> String {
        format!("/v1/workspaces/{}{below}", self.team[0])
    }

    fn general(&self, below: &str) -> String {
        format!("/v1/channels/{}{below}", self.team[1])
    }

    /// Writes, and returns the answer.
    async fn write(&mut self, method: Method, path: &str, body: Value) -> Value {
        let request = self.somewhere().request(method, path);
        let answer = send(if body.is_null() { request } else { request.json(&body) }).await;
        assert!([200, 201, 204].contains(&answer.status.as_u16()), "{}: {} {}", answer.asked, answer.status, answer.body);
        answer.body
    }

    /// Reads without any header. The answer must be as `is_right` says.
    async fn sees(&mut self, path: &str, is_right: impl Fn(&Value) -> bool) {
        let answer = self.somewhere().get(path).await;
        let asked = answer.asked.clone();
        let shown = answer.expect(200);
        assert!(is_right(&shown), "{asked} misses the last write: {shown}");
    }

    /// The list has this row, and the row is as `is_right` says.
    async fn lists(&mut self, path: &str, key: &str, wanted: Uuid, is_right: impl Fn(&Value) -> bool) {
        self.sees(path, |shown| row(shown, key, wanted).is_some_and(|row| is_right(&row))).await;
    }

    async fn step(&mut self, n: usize) {
        match (self.chance.random_range(0..14), self.messages.last().copied(), self.channel) {
            (0..3, ..) | (_, None, _) => self.post(n).await,
            (kind @ 3..8, Some(message), _) => self.change_message(kind, message, n).await,
            (kind @ 8..11, _, Some(channel)) => self.change_channel(kind, channel, n).await,
            (11, Some(message), _) if self.has_markers => {
                self.write(Method::PUT, &self.general("/read-marker"), json!({"message_id": message, "move_back": true})).await;
                let (unread, general) = (self.workspace(&format!("/unread?{PAGE}")), self.team[1]);
                let is_moved = |row: Value| row["last_read_message_id"] == json!(message);
                self.sees(&unread, |shown| row_of(&shown["channels"], "channel_id", general).is_some_and(is_moved)).await;
            }
            (12, ..) => {
                let (me, title) = (self.person.id, format!("title {n}"));
                assert_eq!(self.write(Method::PATCH, "/v1/users/me", json!({"title": title})).await["title"], title);
                self.sees("/v1/users/me", |shown| shown["title"] == title).await;
                self.lists(&self.workspace(&format!("/directory?{PAGE}")), "user_id", me, |row| row["title"] == title).await;
            }
            _ => self.create_channel(n).await,
        }
    }

    /// Edits, deletes or pins a message, reacts to it, or answers it.
    async fn change_message(&mut self, kind: i32, message: Uuid, n: usize) {
        let me = self.person.id;
        match kind {
            3 => {
                let text = format!("edited {n}");
                let path = format!("/v1/messages/{message}");
                let row = self.write(Method::PATCH, &path, json!({"content": text})).await;
                assert_eq!(row["content"], text);
                self.lists(&self.general(&format!("/messages?{PAGE}")), "message_id", message, |row| row["content"] == text).await;
                self.sees(&path, |shown| shown["content"] == text).await;
            }
            4 => {
                self.messages.pop();
                self.write(Method::DELETE, &format!("/v1/messages/{message}"), Value::Null).await;
                let is_gone = |shown: &Value| row(shown, "message_id", message).is_none_or(|row| row["is_deleted"] == true);
                self.sees(&self.general(&format!("/messages?{PAGE}")), is_gone).await;
            }
            5 => {
                let path = format!("/v1/messages/{message}/reactions/tada");
                let row = self.write(Method::PUT, &path, Value::Null).await;
                assert!(row["reactions"].to_string().contains(&me.to_string()), "{row}");
                self.lists(&path, "user_id", me, |_| true).await;
            }
            6 => {
                let pinned = self.write(Method::PUT, &format!("/v1/messages/{message}/pin"), Value::Null).await;
                assert_eq!(pinned["is_pinned"], true);
                self.lists(&self.general(&format!("/pins?{PAGE}")), "message_id", message, |_| true).await;
            }
            _ => {
                let reply = json!({"content": format!("reply {n}"), "thread_id": message});
                let reply = id(&self.write(Method::POST, &self.general("/messages"), reply).await, "message_id");
                let path = format!("/v1/messages/{message}/thread?{PAGE}");
                self.sees(&path, |shown| row(&shown["replies"], "message_id", reply).is_some()).await;
            }
        }
    }

    /// Changes the topic of a channel or the user's notification level there, or leaves it.
    async fn change_channel(&mut self, kind: i32, channel: Uuid, n: usize) {
        match kind {
            8 => {
                let topic = json!({"topic": format!("topic {n}")});
                let row = self.write(Method::PUT, &format!("/v1/channels/{channel}/topic"), topic.clone()).await;
                assert_eq!(row["topic"], topic["topic"]);
                self.sees(&format!("/v1/channels/{channel}"), |shown| shown["topic"] == topic["topic"]).await;
            }
            9 => {
                let level = ["all", "mentions", "none"][n % 3];
                let path = format!("/v1/channels/{channel}/notification-level");
                assert_eq!(self.write(Method::PUT, &path, json!({"level": level})).await["notification_level"], level);
                let unread = self.workspace(&format!("/unread?{PAGE}"));
                self.sees(&unread, |shown| {
                    row_of(&shown["channels"], "channel_id", channel).is_some_and(|row| row["notification_level"] == level)
                })
                .await;
            }
            _ => {
                self.channel = None;
                self.write(Method::DELETE, &format!("/v1/channels/{channel}/membership"), Value::Null).await;
                self.sees(&self.workspace(&format!("/channels?{PAGE}")), |shown| row(shown, "channel_id", channel).is_none()).await;
            }
        }
    }

    async fn post(&mut self, n: usize) {
        let text = format!("post {n}");
        let posted = self.write(Method::POST, &self.general("/messages"), json!({"content": text})).await;
        assert_eq!(posted["content"], text);
        let message = id(&posted, "message_id");
        self.messages.push(message);
        self.lists(&self.general(&format!("/messages?{PAGE}")), "message_id", message, |row| *row == posted).await;
        self.sees(&format!("/v1/messages/{message}"), |shown| shown["content"] == text).await;
    }

    async fn create_channel(&mut self, n: usize) {
        let new = json!({"type": "public", "name": format!("{}-{n}", self.person.username)});
        let created = self.write(Method::POST, &self.workspace("/channels"), new.clone()).await;
        assert_eq!(created["name"], new["name"]);
        let channel = id(&created, "channel_id");
        self.channel = Some(channel);
        self.sees(&format!("/v1/channels/{channel}"), |shown| *shown == created).await;
        self.lists(&self.workspace(&format!("/channels?{PAGE}")), "channel_id", channel, |_| true).await;
        self.lists(&self.workspace(&format!("/channels?scope=browse&{PAGE}")), "channel_id", channel, |_| true).await;
        self.lists(&format!("/v1/channels/{channel}/members"), "user_id", self.person.id, |row| row["role"] == "admin").await;
    }
}

fn row(page: &Value, key: &str, wanted: Uuid) -> Option<Value> {
    row_of(&page["items"], key, wanted)
}

fn row_of(rows: &Value, key: &str, wanted: Uuid) -> Option<Value> {
    rows.as_array().into_iter().flatten().find(|row| row[key] == json!(wanted)).cloned()
}

/// Users write and read in random order over two servers, at the same time. Nobody ever misses their own write.
async fn nobody_misses_their_own_write(changes: &[(&str, &str)], steps: usize) {
    let app = TestApp::start().await;
    let other = another(&app, changes).await;
    let team = Team::found(&app).await;
    let seed = rand::random::<u64>();
    println!("the seed is {seed}");
    let writers = [&team.owner, &team.member].into_iter().zip(0..).map(|(person, n)| Writer {
        person: person.clone(),
        urls: [app.url.clone(), other.url.clone()],
        team: [team.id, team.general],
        chance: StdRng::seed_from_u64(seed.wrapping_add(n)),
        channel: None,
        messages: Vec::new(),
        has_markers: changes.is_empty(),
    });
    let write = |mut writer: Writer| async move {
        for n in 0..steps {
            writer.step(n).await;
        }
    };
    join_all(writers.map(write)).await;
    drop(other);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_misses_their_own_write_on_any_server() {
    nobody_misses_their_own_write(&[], STEPS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_misses_their_own_write_if_one_server_has_no_redis() {
    nobody_misses_their_own_write(&[("BACKSCROLL_REDIS_URL", "redis://127.0.0.1:1")], STEPS / 3).await;
}

/// Follows the address in an answer, at once and without a header.
async fn follow(person: &Person, answer: &Answer) -> Value {
    let location = answer.header("location").unwrap_or_else(|| panic!("{} names no address: {}", answer.asked, answer.body));
    person.get(location).await.expect(200)
}

/// The operations whose answers name an address: those that create something, or start work.
fn with_addresses() -> BTreeSet<String> {
    let document = api::openapi::document().json;
    let operations = document["paths"].as_object().expect("paths").values().flat_map(|item| item.as_object().expect("an item").values());
    let names_one = |operation: &&Value| {
        let mut responses = operation["responses"].as_object().into_iter().flat_map(|responses| responses.values());
        responses.any(|response| response["headers"].get("Location").is_some())
    };
    operations.filter(names_one).filter_map(|operation| operation["operationId"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_in_an_answer_can_be_read_at_once() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let mut followed = BTreeSet::new();
    let mut done = |operation: &str| followed.insert(operation.to_owned());

    for n in 0..10 {
        let posted = team.post(&team.member, team.general, &format!("post {n}")).await;
        let row = posted.body.clone();
        let shown = follow(&team.member, &posted).await;
        let fields = row.as_object().expect("a row").keys().filter(|name| *name != "client_msg_id");
        fields.for_each(|name| assert_eq!(row[name], shown[name], "{name}"));
        let created = team.owner.post("/v1/workspaces", json!({"name": format!("Acme {n}")})).await;
        assert_eq!(follow(&team.owner, &created).await, created.body);
        let channel = team.owner.post(&team.path("/channels"), json!({"type": "private", "name": format!("room-{n}")})).await;
        assert_eq!(follow(&team.owner, &channel).await, channel.body);
    }
    for name in ["post_message", "create_workspace", "create_channel"] {
        done(name);
    }

    let body = json!({"email": "ben@example.org", "role": "guest"});
    let mut invited = team.owner.post(&team.path("/invitations"), body).await;
    let shown = follow(&team.owner, &invited).await;
    let token = invited.body.as_object_mut().expect("a row").remove("token").expect("a token");
    assert_eq!(shown, invited.body);
    team.member.get(invited.header("location").expect("an address")).await.expect_problem(403, "access.forbidden");
    done("invite");

    let ben = json!({"email": "ben@example.org", "username": "ben", "display_name": "Ben", "password": PASSWORD});
    let registered = app.post("/v1/users", &ben).await;
    let ben = app.person(id(&registered.body, "user_id"), "ben", "ben@example.org", app.sign_in("ben").await);
    assert_eq!(follow(&ben, &registered).await["username"], "ben");
    done("register_user");
    let accepted = ben.post(&format!("/v1/invitations/{}/acceptance", token.as_str().expect("a token")), json!({})).await.expect(200);
    assert_eq!(ben.get(&team.path("")).await.expect(200), accepted);

    let hold = team.owner.post(&team.path("/holds"), json!({"on": {"kind": "workspace"}, "reason": "a case"})).await;
    assert_eq!(follow(&team.owner, &hold).await["items"], json!([hold.body]));
    done("place_hold");

    follow(&team.member, &team.member.post_confirmed("/v1/users/me/export").await).await;
    done("export_me");
    let path = format!("/v1/users/{}/export", team.owner.id);
    follow(&team.operator, &team.operator.post_confirmed(&path).await).await;
    done("export_user");
    follow(&team.owner, &send(team.owner.request(Method::POST, &team.path("/retention/runs"))).await).await;
    done("start_retention_run");
    follow(&team.operator, &team.operator.post("/v1/projections/cache/replays", json!({})).await).await;
    done("start_replay");
    assert_eq!(followed, with_addresses());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_command_answers_with_the_same_row() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (messages, channels, invitations) = (team.general("/messages"), team.path("/channels"), team.path("/invitations"));
    let commands = [
        (&messages, json!({"content": "once", "client_msg_id": "mine"})),
        (&channels, json!({"type": "public", "name": "once"})),
        (&channels, json!({"type": "dm", "members": [team.member.id]})),
        (&invitations, json!({"email": "once@example.org"})),
    ];
    for (n, (path, body)) in commands.into_iter().enumerate() {
        let key = format!("key-{n}");
        let first = team.owner.post_once(&key, path, body.clone()).await.expect(201);
        let again = team.owner.post_once(&key, path, body).await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{path}");
        assert_eq!(again.expect(201), first, "{path}");
    }
    // A caller who may not read the channel any more learns that the message was posted, and nothing else.
    let secret = team.channel(&team.owner, "private", "secret", &[&team.member]).await;
    let path = format!("/v1/channels/{secret}/messages");
    let posted = team.member.post_once("a-key", &path, json!({"content": "psst"})).await.expect(201);
    team.owner.delete(&format!("/v1/channels/{secret}/members/{}", team.member.id)).await.expect(204);
    let again = team.member.post_once("a-key", &path, json!({"content": "psst"})).await;
    assert_eq!(again.header("location"), Some(format!("/v1/messages/{}", id(&posted, "message_id")).as_str()));
    assert_eq!(again.expect(202), Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_exists_is_answered_with_200_and_its_row() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    for (kind, people) in [("dm", vec![&team.owner, &team.member]), ("group_dm", vec![&team.owner, &team.member, &team.guest])] {
        let with_others = |by: &Person| {
            let others = people.iter().map(|person| person.id).filter(|id| *id != by.id).collect::<Vec<_>>();
            json!({"type": kind, "members": others})
        };
        let created = team.owner.post(&team.path("/channels"), with_others(&team.owner)).await.expect(201);
        for by in [&team.owner, &team.member] {
            let again = by.post(&team.path("/channels"), with_others(by)).await;
            assert_eq!((again.header("idempotency-replayed"), again.header("location")), (None, None));
            assert_eq!(again.expect(200), created);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_acknowledged_without_its_row_and_a_query_waits_if_the_read_model_is_behind() {
    let http_only = Roles { http: true, relay: false, projectors: false };
    let mut app = TestApp::start_as(http_only, &[]).await;
    let ann = app.sign_up("ann").await;
    let created = ann.post("/v1/workspaces", json!({"name": "Acme"})).await;
    let location = created.header("location").expect("an address").to_owned();
    assert_eq!(created.expect(202), Value::Null);

    // A query that does not wait finds the read model as it is.
    let at_once = Instant::now();
    ann.get_at(0, "/v1/users/me").await.expect_problem(404, "user.not_found");
    assert!(at_once.elapsed() < Duration::from_secs(3), "it did not wait");
    let behind = ann.get("/v1/users/me").await;
    assert_eq!(behind.header("retry-after"), Some("60"), "the read model stands still");
    behind.expect_problem(503, "projection.behind");
    app.stop().await;
    app.start_again().await;
    assert_eq!(ann.at(&app).get(&location).await.expect(200)["name"], "Acme");
}
