//! Searches of an archive over HTTP with 8 clients: the project's fixed searches (`tests/searches/gitter.txt`) in turn.
//! First, each is compared with a plain scan of all messages: a fast result must also be correct.

use std::time::Duration;

use identity::sessions::Device;
use projections::search::TOTAL_MAX;
use projections::{RELATIONAL, RebuildOptions, rebuild};
use serde_json::Value;
use sqlx::PgPool;
use tests::Place;
use tests::place::WITH_ELASTICSEARCH;
use tests::searches::{ListedSearch, Said, everything_said, listed_searches};
use tokio::time::Instant;

use super::archive;
use crate::client::Client;
use crate::furnish::Furnished;
use crate::report::{Goal, Report};
use crate::runs::{Latencies, Runs, runs, sized};
use crate::served::Served;

const CLIENTS: usize = 8;
/// The number of rows of a page.
const ROWS: usize = 20;

/// A backend: its name in the setting and in the answers, and its goals for the 95th percentile by relevance and by
/// time.
struct Backend {
    name: &'static str,
    goals_ms: [f64; 2],
}

const BACKENDS: [Backend; 2] =
    [Backend { name: "postgres", goals_ms: [50.0, 50.0] }, Backend { name: "elasticsearch", goals_ms: [50.0, 25.0] }];
const ORDERS: [&str; 2] = ["relevance", "newest"];
/// The longest time that Elasticsearch may take to be filled.
const FILLED_MAX: Duration = Duration::from_secs(600);

/// The median and the 95th percentile of each run.
#[derive(Default)]
struct Waits {
    middle: Runs,
    slow: Runs,
}

pub async fn measure(report: &mut Report) {
    let archive = archive::archive();
    // The product's defaults: five shards, ten pools.
    let indices = [("BACKSCROLL_ELASTICSEARCH_SHARDS", "5"), ("BACKSCROLL_ELASTICSEARCH_POOLS", "10")];
    let mut place = Place::create(&[&[WITH_ELASTICSEARCH], &indices[..]].concat()).await;
    let app = place.app().await;
    let furnished = Furnished::with(app.commands.store(), 1).await;
    archive::import_into(&app.commands, furnished.workspace_id, &archive).await;
    rebuild(&app.stores, RELATIONAL, RebuildOptions::default(), |_| {}).await.expect("the read tables");
    let (token, _) = app.sessions.start(furnished.users[0], Device::default()).await.expect("a session");
    sqlx::raw_sql("VACUUM ANALYZE").execute(&app.pool).await.expect("the vacuum");
    let said = everything_said(&app.pool).await;
    report.over(format!(
        "{}: {} messages in {} channels, {} searches in turn, a page of {ROWS} hits with highlights and the total",
        archive::name(&archive),
        said.len(),
        channels(&app.pool).await,
        listed_searches().len()
    ));
    drop(app);
    let path = format!("/v1/workspaces/{}/search/messages", furnished.workspace_id);
    let mut all = Vec::new();
    for backend in &BACKENDS {
        place.environment.insert("BACKSCROLL_SEARCH".into(), backend.name.into());
        let served = Served::at(&place, &[]);
        let head = place.app().await.commands.store().catch_up().await.expect("the head");
        served.has_projected(head, token.expose(), &format!("{path}?q=warm")).await;
        answers(&served, token.expose(), &path, backend).await;
        for search in listed_searches() {
            hold_to_the_scan(&served, token.expose(), &path, (backend, &search), &said).await;
        }
        for (order, goal) in ORDERS.into_iter().zip(backend.goals_ms) {
            let mut waits = Waits::default();
            for _ in 0..runs() {
                let latencies = latencies(&served, token.expose(), &path, order).await;
                waits.middle.push(latencies.percentile(0.5));
                waits.slow.push(latencies.percentile(0.95));
            }
            report.state(format!("search, {}, by {order}, 8 clients, p50", backend.name), "ms", &waits.middle, Goal::Stated);
            report.state(format!("search, {}, by {order}, 8 clients, p95", backend.name), "ms", &waits.slow, Goal::AtMost(goal));
            all.push(waits);
        }
    }
    for (n, order) in ORDERS.into_iter().enumerate() {
        let (postgres, elastic) = (&all[n], &all[n + ORDERS.len()]);
        let row = format!("search, elasticsearch against postgres, by {order}, p95");
        report.compare(row, "ms", &elastic.slow, ("postgres", &postgres.slow), Goal::Stated);
    }
}

/// Waits until this backend answers.
async fn answers(served: &Served, token: &str, path: &str, backend: &Backend) {
    let mut client = Client::connect(served.address, Some(token)).await;
    let gives_up_at = Instant::now() + FILLED_MAX;
    loop {
        let found = serde_json::from_slice::<Value>(&client.get(&format!("{path}?q=warm")).await.body).expect("JSON");
        if found["backend"] == backend.name {
            return;
        }
        assert!(Instant::now() < gives_up_at, "{} does not answer after {FILLED_MAX:?}: {found}", backend.name);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn channels(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM channels").fetch_one(pool).await.expect("a count")
}

/// Checks that the total and the newest hits equal those of the scan.
async fn hold_to_the_scan(served: &Served, token: &str, path: &str, asked: (&Backend, &ListedSearch), said: &[Said]) {
    let (backend, search) = asked;
    let mut client = Client::connect(served.address, Some(token)).await;
    let answer = client.get(&format!("{path}?q={}&order=newest&limit=100", escaped(search.query))).await;
    let found = serde_json::from_slice::<Value>(&answer.body).expect("JSON");
    if answer.status == 400 && tests::searches::is_missing(search, said) {
        return;
    }
    assert_eq!(found["backend"], backend.name, "{}", search.query);
    let expected = said.iter().filter(|said| search.means(said)).map(|said| said.message_id.to_string()).collect::<Vec<_>>();
    let hits = found["items"].as_array().unwrap_or_else(|| panic!("{}: {found}", search.query));
    let hits = hits.iter().map(|hit| hit["message"]["message_id"].as_str().unwrap_or_default()).collect::<Vec<_>>();
    assert_eq!(found["total"].as_u64(), Some(TOTAL_MAX.min(expected.len() as u64)), "{}", search.query);
    assert_eq!(hits, expected[..expected.len().min(100)], "{}", search.query);
}

/// The durations of the searches. Each client sends the next search as soon as it has the answer.
async fn latencies(served: &Served, token: &str, path: &str, order: &'static str) -> Latencies {
    let rounds = sized(6, 2);
    let mut clients = Vec::with_capacity(CLIENTS);
    for n in 0..CLIENTS {
        let mut client = Client::connect(served.address, Some(token)).await;
        let mut paths =
            listed_searches().iter().map(|s| format!("{path}?q={}&order={order}&limit={ROWS}", escaped(s.query))).collect::<Vec<_>>();
        // Each client begins at another place in the list.
        let places = paths.len();
        paths.rotate_left(n * places / CLIENTS);
        clients.push(tokio::spawn(async move {
            let mut took = Vec::new();
            for path in paths.iter().cycle().take(rounds * places) {
                let began = Instant::now();
                let status = client.get(path).await.status;
                took.push(began.elapsed());
                assert!(status == 200 || status == 400, "{path}: {status}");
            }
            took
        }));
    }
    let mut all = Vec::new();
    for client in clients {
        all.append(&mut client.await.expect("a client"));
    }
    Latencies::of(all)
}

fn escaped(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
