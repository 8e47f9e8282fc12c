//! `/healthz`, `/readyz` and `/metrics` of every process say whether it does what it is for.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};

use api::app::{Roles, Server};
use serde_json::{Value, json};
use sqlx::Executor;
use tempfile::TempDir;
use tests::place::WITH_ELASTICSEARCH;
use tests::servers::{checkout, free_port};
use tests::{Place, Program, TestApp, eventually, program};

const HTTP_ONLY: Roles = Roles { http: true, relay: false, projectors: false };
const WITHOUT_HTTP: Roles = Roles { http: false, relay: true, projectors: true };

/// The status and the body of an answer of an operators' address.
async fn get(operators_url: &str, path: &str) -> (u16, Value) {
    let answer = reqwest::get(format!("{operators_url}{path}")).await.expect("an answer");
    let (status, text) = (answer.status().as_u16(), answer.text().await.expect("a body"));
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// The value of a series at an operators' address.
async fn figure(operators_url: &str, series: &str) -> Option<f64> {
    let (_, text) = get(operators_url, "/metrics").await;
    text.as_str()?.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

/// Waits until `/readyz` has this status and this text in the state of a part. Returns the body.
async fn until(operators_url: &str, status: u16, part: &str, text: &str) -> Value {
    let mut last = (0, Value::Null);
    eventually(&format!("/readyz answers {status}, with {text:?} in {part}"), async || {
        last = get(operators_url, "/readyz").await;
        last.0 == status && last.1[part]["state"].as_str().is_some_and(|state| state.contains(text))
    })
    .await;
    last.1
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lag_counts_the_events_of_every_process() {
    // Nothing is applied or published here, so everything lags.
    let app = TestApp::start_as(HTTP_ONLY, &[]).await;
    app.sign_up("ann").await;
    let (_other, url) = Program::serving(&mut program::command(&["serve", "--only", "http"], &app.environment), Stdio::null());
    for name in ["ben", "cem"] {
        let registration =
            json!({"email": format!("{name}@example.org"), "username": name, "display_name": name, "password": tests::person::PASSWORD});
        let registered = reqwest::Client::new().post(format!("{url}/v1/users")).json(&registration).send().await.expect("an answer");
        assert_eq!(registered.status(), 201);
    }
    // A registration and a sign-in here, and two registrations there.
    for series in [
        r#"backscroll_position{part="log"}"#,
        r#"backscroll_projection_lag_events{projection="relational"}"#,
        r#"backscroll_projection_lag_events{projection="proof"}"#,
        "backscroll_relay_lag_events",
    ] {
        assert_eq!(figure(&app.operators_url, series).await, Some(4.0), "{series}");
    }
    for series in [r#"backscroll_projection_lag_seconds{projection="relational"}"#, "backscroll_relay_lag_seconds"] {
        assert!(figure(&app.operators_url, series).await.is_some_and(|seconds| seconds > 0.0), "{series}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_relay_and_projectors_the_server_serves_and_its_details_name_what_is_missing() {
    let app = TestApp::start_as(HTTP_ONLY, &[]).await;
    let readiness = until(&app.operators_url, 200, "relay", "no relay leads").await;
    assert_eq!(readiness["status"], "degraded", "{readiness}");
    let state = readiness["projector"]["state"].as_str().expect("a state");
    assert!(state.starts_with("no projector runs for relational, cache: start `backscroll serve`"), "{state}");
    assert_eq!(app.get("/readyz").await.expect(200), json!({"status": "ready"}));
    assert_eq!(figure(&app.operators_url, r#"backscroll_part_ok{part="relay"}"#).await, Some(0.0));

    let others = Server::start(Place::app(&app).await, WITHOUT_HTTP).expect("a server");
    until(&app.operators_url, 200, "relay", "another process leads").await;
    eventually("everything runs", async || get(&app.operators_url, "/readyz").await.1["status"] == "ready").await;
    others.stop().await;
    until(&app.operators_url, 200, "projector", "no projector runs for relational, cache").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_serves_its_health_and_its_metrics() {
    let place = Place::create(&[]).await;
    let (relay, projectors) = (Program::only("relay", &place.environment), Program::only("projectors", &place.environment));
    for (program, role, leads, holds) in [(&relay, "relay", 1.0, 0.0), (&projectors, "projectors", 0.0, 1.0)] {
        let url = &program.operators_url;
        assert_eq!(get(url, "/healthz").await, (200, json!({"status": "ok"})));
        eventually("the process is ready", async || get(url, "/readyz").await.1["status"] == "ready").await;
        let (status, readiness) = get(url, "/readyz").await;
        assert_eq!((status, &readiness["process"]), (200, &json!({"ok": true, "state": format!("runs {role}")})), "{readiness}");
        for (series, value) in [
            ("backscroll_ready", 1.0),
            ("backscroll_relay_leads", leads),
            (r#"backscroll_projection_holds{projection="relational"}"#, holds),
            (r#"backscroll_part_ok{part="nats"}"#, 1.0),
            (r#"backscroll_postgres_connections_max{pool="read"}"#, 11.0),
        ] {
            assert_eq!(figure(url, series).await, Some(value), "{role}: {series}");
        }
    }
}

/// A NATS whose storage has no room for the stream. It ends with this value.
struct SmallNats {
    url: String,
    process: Child,
    _folder: TempDir,
}

impl SmallNats {
    fn start() -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().expect("a folder"));
        let store = folder.path().display();
        let configuration = format!("listen: \"127.0.0.1:{port}\"\njetstream: {{ store_dir: \"{store}/js\", max_file_store: 100MB }}\n");
        std::fs::write(folder.path().join("nats.conf"), configuration).expect("a file");
        let mut command = Command::new(checkout().join("scripts/services.sh"));
        command.arg("debian").arg(folder.path()).args(["nats-server", "--config", "nats.conf"]);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("scripts/services.sh");
        Self { url: format!("nats://127.0.0.1:{port}"), process, _folder: folder }
    }
}

impl Drop for SmallNats {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_without_room_at_nats_is_unavailable_and_a_server_with_it_is_degraded() {
    let nats = SmallNats::start();
    let app = TestApp::start_with(&[("BACKSCROLL_NATS_URL", &nats.url)]).await;
    let relay = Program::only("relay", &app.environment);
    for (url, status, said) in [(&relay.operators_url, 503, "unavailable"), (&app.operators_url, 200, "degraded")] {
        // NATS' own answer. Before NATS has started, the relay says that it cannot be reached.
        let readiness = until(url, status, "relay", "insufficient storage resources available").await;
        let state = readiness["relay"]["state"].as_str().expect("a state");
        assert!(state.contains("cannot publish the log"), "{state}");
        assert_eq!(readiness["status"], said, "{readiness}");
        // The part of NATS says what to do.
        let advice = until(url, status, "nats", "give JetStream 1 GiB of room").await;
        assert_eq!(advice["status"], said, "{advice}");
    }
    assert!(figure(&relay.operators_url, "backscroll_relay_failures_total").await.is_some_and(|failures| failures >= 1.0));
    assert_eq!(app.get("/readyz").await.expect(200), json!({"status": "ready"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_without_nats_is_unavailable() {
    let place = Place::create(&[("BACKSCROLL_NATS_URL", "nats://127.0.0.1:1")]).await;
    let relay = Program::only("relay", &place.environment);
    let (status, readiness) = get(&relay.operators_url, "/readyz").await;
    assert_eq!((status, &readiness["status"], &readiness["nats"]["ok"]), (503, &json!("unavailable"), &json!(false)), "{readiness}");
    assert_eq!(get(&relay.operators_url, "/healthz").await.0, 200, "it lives, and waits for NATS");
}

#[tokio::test(flavor = "multi_thread")]
async fn projectors_are_degraded_by_a_parked_event_and_unavailable_if_they_can_apply_none() {
    let app = TestApp::start_as(HTTP_ONLY, &[]).await;
    app.sign_up("ann").await;
    let pool = app.database.pool(1).await;
    let mut tx = pool.begin().await.expect("a transaction");
    tx.execute("ALTER TABLE events DISABLE TRIGGER USER").await.expect("the owner of the database may do this");
    let tamper = "UPDATE events SET payload = replace(payload::text, '\"sealed\"', '\"sealt\"')::json WHERE position = 1";
    assert_eq!(tx.execute(tamper).await.expect("an event").rows_affected(), 1);
    tx.execute("ALTER TABLE events ENABLE TRIGGER USER").await.expect("the owner of the database may do this");
    tx.commit().await.expect("a transaction");

    let projectors = Program::only("projectors", &app.environment);
    let url = &projectors.operators_url;
    // The registration, and the session, whose user is unknown.
    let readiness = until(url, 200, "parked", "2 parked keys of relational, with 2 events").await;
    assert_eq!(readiness["status"], "degraded", "{readiness}");
    assert_eq!(figure(url, r#"backscroll_projection_parked_keys{projection="relational"}"#).await, Some(2.0));
    assert_eq!(figure(url, r#"backscroll_projection_parked_events{projection="relational"}"#).await, Some(2.0));

    pool.execute("ALTER TABLE read.users RENAME TO users_elsewhere").await.expect("a table");
    // Only registered: the sign-in may read the table.
    let ben = json!({"email": "ben@example.org", "username": "ben", "display_name": "Ben", "password": tests::person::PASSWORD});
    app.post("/v1/users", &ben).await.expect(201);
    let readiness = until(url, 503, "projector", "this process cannot run the projector of relational").await;
    assert_eq!(readiness["status"], "unavailable", "{readiness}");
    assert_eq!(app.get("/readyz").await.expect(200), json!({"status": "ready"}), "the server for clients goes on");
    pool.execute("ALTER TABLE read.users_elsewhere RENAME TO users").await.expect("a table");
    eventually("the relational projection has the whole log", async || {
        let head = sqlx::query_scalar::<_, i64>("SELECT max(position) FROM events").fetch_one(&pool).await.expect("the log");
        let (status, readiness) = get(url, "/readyz").await;
        let state = readiness["projector"]["state"].as_str().unwrap_or_default().to_owned();
        status == 200 && state.contains(&format!("relational at {head} of {head}"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_while_postgres_is_gone_ends_in_time_and_leaves_out_what_it_cannot_read() {
    let app = TestApp::start().await;
    eventually("the database is read", async || figure(&app.operators_url, "backscroll_relay_lag_events").await.is_some()).await;
    for pool in [&app.app().pool, &app.app().stores.pool, &app.app().work_pool, &app.app().write_pool] {
        pool.close().await;
    }
    let began = std::time::Instant::now();
    assert_eq!(figure(&app.operators_url, r#"backscroll_part_ok{part="postgres"}"#).await, Some(0.0));
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    assert_eq!(figure(&app.operators_url, "backscroll_ready").await, Some(0.0));
    assert_eq!(figure(&app.operators_url, "backscroll_relay_lag_events").await, None);
    assert!(figure(&app.operators_url, "process_open_fds").await.is_some());
}

/// The names of the metrics that a server has at the moment.
async fn names(operators_url: &str) -> BTreeMap<String, String> {
    let (_, text) = get(operators_url, "/metrics").await;
    let types = text.as_str().expect("text").lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_has_a_figure_for_everything_that_it_can_know() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("heads").display().to_string();
    let app = TestApp::start_with(&[WITH_ELASTICSEARCH, ("BACKSCROLL_PROOF_FILE", &file), ("BACKSCROLL_PROOF_SEND_SECONDS", "1")]).await;
    app.sign_up("ann").await;
    let delivered = r#"backscroll_proof_undelivered_events{destination="file"}"#;
    let delivered_at = r#"backscroll_proof_delivered_timestamp_seconds{destination="file"}"#;
    let mut at = None;
    // Before the first delivery, there is nothing to deliver either.
    eventually("the head is delivered", async || {
        at = figure(&app.operators_url, delivered_at).await;
        at.is_some_and(|at| at > 0.0) && figure(&app.operators_url, delivered).await == Some(0.0)
    })
    .await;
    let at = at.expect("a time");
    let now = chrono::Utc::now().timestamp() as f64;
    assert!((now - 60.0..=now + 60.0).contains(&at), "{at}");

    // Missing are those of replays, fills, and requests that could not be read; and NATS may have no limits.
    let may_miss = [
        "backscroll_replay_",
        "backscroll_projection_fill_",
        "backscroll_malformed_requests_total",
        "backscroll_jetstream_storage_bytes_max",
    ];
    let all = app.app().metrics.names();
    let missing = |there: &BTreeMap<String, String>| {
        let missing = all.iter().filter(|name| !there.contains_key(*name) && !may_miss.iter().any(|prefix| name.starts_with(prefix)));
        missing.cloned().collect::<Vec<_>>()
    };
    eventually("everything has a figure", async || missing(&names(&app.operators_url).await).is_empty()).await;
    let there = names(&app.operators_url).await;
    let unknown = there.keys().filter(|name| !all.contains(*name)).collect::<Vec<_>>();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert_eq!(there.get("process_cpu_seconds_total").map(String::as_str), Some("counter"));
}
