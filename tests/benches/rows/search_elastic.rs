//! Elasticsearch with a whole archive: the speed of filling it, compared with a bare client that sends the same
//! documents, and its latency with eight clients.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::config::Settings;
use domain::ids::WorkspaceId;
use projections::search::elasticsearch::{Elastic, ElasticSearch};
use projections::search::{MessageQuery, Order, Requirement, SearchBackend, Span, Text, TextTerm, words};
use projections::{Connections, Phase, RebuildOptions, SEARCH, rebuild};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::elastic::expect;
use tests::place::{Place, WITH_ELASTICSEARCH};
use tests::servers::address;
use uuid::Uuid;

use super::archive::{archive, import_only, name};
use crate::report::{Goal, Report};
use crate::runs::{Latencies, Runs, is_trial, runs};

/// The number of documents of one bulk request, of our client and of the bare one.
const BULK_DOCUMENTS: usize = 2_000;
/// The number of concurrent bulk requests.
const UNDER_WAY: usize = 2;
/// The number of concurrent clients.
const CLIENTS: usize = 8;
/// The number of words that each client searches for, again and again.
const WORDS: usize = 50;

pub async fn measure(report: &mut Report) {
    let archive = archive();
    // The product's default: five shards.
    let place =
        Place::create(&[WITH_ELASTICSEARCH, ("BACKSCROLL_ELASTICSEARCH_SHARDS", "5"), ("BACKSCROLL_ELASTICSEARCH_POOLS", "10")]).await;
    import_only(&place.database, &archive).await;
    let stores = stores(&place).await;
    rebuild(&stores, projections::RELATIONAL, RebuildOptions { accept_differences: true, ..RebuildOptions::default() }, |_| {})
        .await
        .expect("the read tables");
    let [mut fills, mut bare, mut rebuilds] = [const { Runs(Vec::new()) }; 3];
    for _ in 0..runs() {
        let rebuilt = rebuild(&stores, SEARCH, RebuildOptions::default(), |_| {}).await.expect("a rebuild");
        let filling = rebuilt.phases.iter().find(|(phase, _)| *phase == Phase::Folding).map_or(Duration::ZERO, |(_, took)| *took);
        fills.push(rebuilt.events as f64 / filling.as_secs_f64());
        rebuilds.push(rebuilt.events as f64 / rebuilt.elapsed.as_secs_f64());
        let (documents, took) = send_bare(&place.elastic_prefix).await;
        bare.push(documents as f64 / took.as_secs_f64());
        report.over(format!("{}: {documents} messages", name(&archive)));
    }
    report.compare("search, filling elasticsearch", "documents/s", &fills, ("a bare bulk client", &bare), Goal::AtLeast(0.8));
    report.state("search, filling, proving and switching", "documents/s", &rebuilds, Goal::Stated);
    expect(Method::POST, &format!("/{}*/_forcemerge?max_num_segments=5", place.elastic_prefix), None).await;
    answer(report, &stores).await;
}

async fn stores(place: &Place) -> Connections {
    let settings = Settings::from_sources(&place.environment, None).expect("the settings");
    let elastic = Elastic::new(settings.search.elasticsearch.resolved().expect("the settings")).expect("an address");
    let pool = place.database.read_pool(8).await;
    let keys = tests::keyring(&pool).await;
    Connections::new(pool, keys, tests::servers::redis()).with_elastic(Some(elastic))
}

/// Sends every document of a message again, to an index of the same template. Returns the number and the duration.
async fn send_bare(prefix: &str) -> (usize, Duration) {
    let requests = requests(prefix).await;
    let index = format!("{prefix}messages_bare");
    let settings = json!({"settings": {"number_of_replicas": 0, "refresh_interval": "-1"}});
    expect(Method::PUT, &format!("/{index}"), Some(&settings)).await;
    let url = format!("{}/{index}/_bulk?filter_path=errors,items.*.error.reason", address("BACKSCROLL_ELASTICSEARCH_URL"));
    let documents = requests.iter().map(|(documents, _)| documents).sum();
    let requests = Arc::new(tokio::sync::Mutex::new(requests));
    let began = Instant::now();
    let senders = (0..UNDER_WAY).map(|_| {
        let (requests, url, client) = (requests.clone(), url.clone(), reqwest::Client::new());
        tokio::spawn(async move {
            loop {
                let Some((_, lines)) = requests.lock().await.pop() else { return };
                let request = client.post(&url).header("Content-Type", "application/x-ndjson").body(lines);
                let answer: Value = request.send().await.expect("an answer").json().await.expect("an answer");
                assert_eq!(answer["errors"], json!(false), "{answer}");
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.expect("a sender");
    }
    let took = began.elapsed();
    expect(Method::DELETE, &format!("/{index}"), None).await;
    (documents, took)
}

/// Bulk requests with every message document of Elasticsearch, as it was written.
async fn requests(prefix: &str) -> Vec<(usize, String)> {
    let mut requests = Vec::new();
    let mut after = json!("");
    loop {
        let body = json!({"size": BULK_DOCUMENTS, "sort": [{"message_id": "asc"}], "search_after": [after], "track_total_hits": false});
        let found = expect(Method::POST, &format!("/{prefix}messages_shared_*-m*/_search"), Some(&body)).await;
        let hits = found["hits"]["hits"].as_array().cloned().unwrap_or_default();
        let Some(last) = hits.last() else { return requests };
        after = last["sort"][0].clone();
        let lines = hits.iter().map(|hit| {
            let mut source = hit["_source"].clone();
            let words = words::folded(source["content"].as_str().unwrap_or_default());
            source["words"] = json!(words.join(" "));
            source["stems"] = json!(words.iter().map(|word| words::stem_of(word)).collect::<Vec<_>>().join(" "));
            let version = source["position"].clone();
            let action = json!({"index": {"_id": hit["_id"], "version": version, "version_type": "external_gte"}});
            format!("{action}\n{source}\n")
        });
        requests.push((hits.len(), lines.collect()));
    }
}

/// Measures the latency with eight clients.
async fn answer(report: &mut Report, stores: &Connections) {
    let backend: Arc<dyn SearchBackend> = Arc::new(ElasticSearch::new(stores).expect("elasticsearch"));
    let (workspace_id, channels) = workspace(&stores.pool).await;
    let words = common_words(&stores.pool).await;
    for (order, told, goal) in [(Order::Relevance, "by relevance", 50.0), (Order::Newest, "by time", 25.0)] {
        let queries = words.iter().map(|word| query(workspace_id, &channels, word, order)).collect::<Vec<_>>();
        let [mut medians, mut slow] = [const { Runs(Vec::new()) }; 2];
        for _ in 0..runs() {
            let waits = Latencies::of(ask(&backend, &queries).await);
            medians.push(waits.percentile(0.5));
            slow.push(waits.percentile(0.95));
        }
        report.state(format!("search by elasticsearch, {CLIENTS} clients, {told}, p50"), "ms", &medians, Goal::Stated);
        report.state(format!("search by elasticsearch, {CLIENTS} clients, {told}, p95"), "ms", &slow, Goal::AtMost(goal));
    }
}

async fn ask(backend: &Arc<dyn SearchBackend>, queries: &[MessageQuery]) -> Vec<Duration> {
    let rounds = if is_trial() { 1 } else { 5 };
    let clients = (0..CLIENTS).map(|client| {
        let (backend, mut queries) = (backend.clone(), queries.to_vec());
        let length = queries.len().max(1);
        queries.rotate_left(client * 7 % length);
        tokio::spawn(async move {
            let mut waits = Vec::new();
            for query in std::iter::repeat_n(&queries, rounds).flatten() {
                let began = Instant::now();
                backend.messages(query).await.expect("an answer");
                waits.push(began.elapsed());
            }
            waits
        })
    });
    let mut waits = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        waits.extend(client.await.expect("a client"));
    }
    waits
}

fn query(workspace_id: Uuid, channels: &[Uuid], word: &str, order: Order) -> MessageQuery {
    MessageQuery {
        workspace_id: WorkspaceId(workspace_id),
        channels: channels.iter().map(|id| (*id).into()).collect(),
        is_narrowed: false,
        text: vec![TextTerm { text: Text::Words(vec![word.to_owned()]), wanted: Requirement::Must }],
        authors: None,
        not_authors: Vec::new(),
        to: Vec::new(),
        not_to: Vec::new(),
        during: Span::default(),
        not_during: Vec::new(),
        properties: Vec::new(),
        order,
        after: None,
        limit: 20,
        min_position: None,
    }
}

async fn workspace(pool: &PgPool) -> (Uuid, Vec<Uuid>) {
    let largest = "SELECT workspace_id FROM messages GROUP BY 1 ORDER BY count(*) DESC LIMIT 1";
    let workspace_id = sqlx::query_scalar::<_, Uuid>(largest).fetch_one(pool).await.expect("a workspace");
    let channels = sqlx::query_scalar("SELECT channel_id FROM channels WHERE workspace_id = $1").bind(workspace_id);
    (workspace_id, channels.fetch_all(pool).await.expect("the channels"))
}

/// Common words, from those of nearly all messages to those of few.
async fn common_words(pool: &PgPool) -> Vec<String> {
    let sample = sqlx::query_scalar::<_, String>("SELECT content FROM messages ORDER BY md5(message_id::text) LIMIT 5000");
    let mut counts = BTreeMap::<String, usize>::new();
    for text in sample.fetch_all(pool).await.expect("messages") {
        for word in words::folded(&text).into_iter().filter(|word| word.len() > 2) {
            *counts.entry(word).or_insert(0) += 1;
        }
    }
    let mut words = counts.into_iter().filter(|(_, count)| *count > 2).collect::<Vec<_>>();
    words.sort_by_key(|(word, count)| (std::cmp::Reverse(*count), word.clone()));
    let step = (words.len() / WORDS).max(1);
    words.into_iter().step_by(step).take(WORDS).map(|(word, _)| word).collect()
}
