//! Searching an archive over HTTP with 8 clients: the searches that the project keeps (`tests/searches/gitter.txt`), in turn. Each is first held
//! to what a plain scan of all messages finds: what is fast must be right.

use api::auth::sessions::Device;
use projections::search::TOTAL_MAX;
use projections::{RELATIONAL, RebuildOptions, rebuild};
use serde_json::Value;
use sqlx::PgPool;
use tests::Place;
use tests::searches::{Kept, Said, everything_said, kept};
use tokio::time::Instant;

use super::archive;
use crate::client::Client;
use crate::furnish::Furnished;
use crate::report::{Goal, Report};
use crate::runs::{Latencies, Runs, runs, sized};
use crate::served::Served;

const CLIENTS: usize = 8;
/// The rows of a page.
const ROWS: usize = 20;

/// What answers: its name, what a server that uses it is started with, and the slowest twentieth that it may have, by relevance and by time.
struct Backend {
    name: &'static str,
    settings: &'static [(&'static str, &'static str)],
    goals_ms: [f64; 2],
}

const BACKENDS: [Backend; 1] = [Backend { name: "Postgres", settings: &[], goals_ms: [50.0, 50.0] }];

pub async fn measure(report: &mut Report) {
    let archive = archive::archive();
    for backend in BACKENDS {
        let place = Place::create(backend.settings).await;
        let app = place.app().await;
        let furnished = Furnished::with(app.commands.store(), 1).await;
        archive::import_into(&app.commands, furnished.workspace_id, &archive).await;
        rebuild(&app.stores, RELATIONAL, RebuildOptions::default(), |_| {}).await.expect("the read tables");
        let (token, _) = app.sessions.start(furnished.users[0], Device::default()).await.expect("a session");
        let pool = app.pool.clone();
        sqlx::raw_sql("VACUUM ANALYZE").execute(&pool).await.expect("what autovacuum will do some time");
        let said = everything_said(&pool).await;
        let path = format!("/v1/workspaces/{}/search/messages", furnished.workspace_id);
        report.over(format!(
            "{}: {} messages in {} channels, {} searches in turn, a page of {ROWS} hits with highlights and the total",
            archive::name(&archive),
            said.len(),
            channels(&pool).await,
            kept().len()
        ));
        drop(app);
        let served = Served::at(&place, &[]);
        let head = place.app().await.commands.store().catch_up().await.expect("the head");
        served.has_projected(head, token.expose(), &format!("{path}?q=warm")).await;
        for search in kept() {
            hold_to_the_scan(&served, token.expose(), &path, &search, &said).await;
        }
        for (order, goal) in ["relevance", "newest"].into_iter().zip(backend.goals_ms) {
            let [mut middle, mut slow] = [const { Runs(Vec::new()) }; 2];
            for _ in 0..runs() {
                let latencies = latencies(&served, token.expose(), &path, order).await;
                middle.push(latencies.percentile(0.5));
                slow.push(latencies.percentile(0.95));
            }
            report.state(format!("search, {}, by {order}, 8 clients, p50", backend.name), "ms", &middle, Goal::Stated);
            report.state(format!("search, {}, by {order}, 8 clients, p95", backend.name), "ms", &slow, Goal::AtMost(goal));
        }
    }
}

async fn channels(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM channels").fetch_one(pool).await.expect("a count")
}

/// Its total, and its newest hits, are those of the scan.
async fn hold_to_the_scan(served: &Served, token: &str, path: &str, search: &Kept, said: &[Said]) {
    let mut client = Client::connect(served.address, Some(token)).await;
    let answer = client.get(&format!("{path}?q={}&order=newest&limit=100", escaped(search.query))).await;
    let found = serde_json::from_slice::<Value>(&answer.body).expect("JSON");
    if answer.status == 400 && tests::searches::is_missing(search, said) {
        return;
    }
    let expected = said.iter().filter(|said| search.means(said)).map(|said| said.message_id.to_string()).collect::<Vec<_>>();
    let hits = found["items"].as_array().unwrap_or_else(|| panic!("{}: {found}", search.query));
    let hits = hits.iter().map(|hit| hit["message"]["message_id"].as_str().unwrap_or_default()).collect::<Vec<_>>();
    assert_eq!(found["total"].as_u64(), Some(TOTAL_MAX.min(expected.len() as u64)), "{}", search.query);
    assert_eq!(hits, expected[..expected.len().min(100)], "{}", search.query);
}

/// How long each search took that a client asked for when the one before was answered.
async fn latencies(served: &Served, token: &str, path: &str, order: &'static str) -> Latencies {
    let rounds = sized(6, 2);
    let mut clients = Vec::with_capacity(CLIENTS);
    for n in 0..CLIENTS {
        let mut client = Client::connect(served.address, Some(token)).await;
        let mut paths = kept().iter().map(|s| format!("{path}?q={}&order={order}&limit={ROWS}", escaped(s.query))).collect::<Vec<_>>();
        // Each begins somewhere else in the list.
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
