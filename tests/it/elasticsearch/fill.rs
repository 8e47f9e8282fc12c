//! The first fill of Elasticsearch is visible while it runs.

use serde_json::Value;
use tests::place::WITH_ELASTICSEARCH;
use tests::program::{self, Program};
use tests::{Team, TestApp, eventually};

/// Members of the team, as documents.
const MEMBERS: i64 = 3;

async fn search(team: &Team) -> Option<Value> {
    let states = team.operator.get("/v1/projections").await.expect(200);
    states["items"].as_array().expect("items").iter().find(|state| state["name"] == "search").cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_the_progress_while_elasticsearch_is_filled() {
    let app = TestApp::start_with(&[WITH_ELASTICSEARCH, ("BACKSCROLL_SEARCH", "postgres")]).await;
    let team = Team::found(&app).await;
    for n in 0..20 {
        team.message(&team.owner, team.general, &format!("message {n}")).await;
    }
    crate::cache::settled(&app).await;
    let messages = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM messages").fetch_one(&app.app().pool).await.expect("a count");
    assert!(search(&team).await.is_none(), "the projection has never run");

    // The fill reads members, then messages. It cannot read archived messages before this transaction ends.
    let mut gate = app.app().pool.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE read.messages_archive IN ACCESS EXCLUSIVE MODE").execute(&mut *gate).await.expect("the lock");
    let mut environment = app.environment.clone();
    environment.insert("BACKSCROLL_SEARCH".into(), "elasticsearch".into());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let log = std::fs::File::create(&path).expect("a file");
    let (server, _url) = Program::serving(&mut program::command(&["serve"], &environment), log);

    let mut filling = Value::Null;
    eventually("the members are written", async || {
        filling = search(&team).await.map_or(Value::Null, |state| state["filling"].clone());
        filling["done"] == MEMBERS
    })
    .await;
    assert_eq!((&filling["phase"], &filling["total"]), (&"folding".into(), &(MEMBERS + messages).into()), "{filling}");
    assert!(filling["per_second"].as_f64().is_some_and(|rate| rate > 0.0), "{filling}");
    let metrics = reqwest::get(format!("{}/metrics", server.operators_url)).await.expect("an answer").text().await.expect("the metrics");
    for line in [
        r#"backscroll_projection_fill_phase{phase="folding",projection="search"} 1"#.to_owned(),
        format!(r#"backscroll_projection_fill_done{{projection="search"}} {MEMBERS}"#),
        format!(r#"backscroll_projection_fill_total{{projection="search"}} {}"#, MEMBERS + messages),
        r#"backscroll_projection_fill_per_second{projection="search"} "#.to_owned(),
        r#"backscroll_projection_lag_events{projection="search"} "#.to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    let listed = program::output(&["projections"], &environment).await;
    let (_, listed) = program::said(&listed);
    assert!(listed.contains(&format!("filling: folding, {MEMBERS} of {}", MEMBERS + messages)), "{listed}");

    gate.commit().await.expect("the lock is free");
    eventually("the fill has ended", async || search(&team).await.is_some_and(|state| state["filling"].is_null() && state["lag"] == 0))
        .await;
    drop(server);
    let log = std::fs::read_to_string(&path).expect("the log");
    let lines = log.lines().filter(|line| line.contains("being filled")).collect::<Vec<_>>();
    assert!(lines.len() >= 2 && lines.iter().any(|line| line.contains(&format!("total={}", MEMBERS + messages))), "{log}");
    assert!(log.contains("elasticsearch was filled"), "{log}");
}
