//! An installation changes from Postgres to Elasticsearch and back, process by process, while users write and search.

use serde_json::Value;
use tests::place::WITH_ELASTICSEARCH;
use tests::{Person, Program, Team, TestApp};
use uuid::Uuid;

use super::LIMIT;

/// Posts a message through one process, and searches for it through others. Returns the backends that answered.
async fn say_and_find(team: &Team, by: &Person, searchers: &[&Person]) -> Vec<String> {
    let word = Uuid::now_v7().simple().to_string();
    let posted = by.post(&team.general("/messages"), serde_json::json!({"content": format!("look for {word}")})).await;
    let position = posted.position();
    posted.expect(201);
    let mut answered = Vec::new();
    for searcher in searchers {
        let found = searcher.get_at(position, &team.path(&format!("/search/messages?q={word}"))).await.expect(200);
        assert_eq!(found["total"], 1, "a message that was just posted is found: {found}");
        answered.push(found["backend"].as_str().map(str::to_owned).unwrap_or_default());
    }
    answered
}

async fn is_filled(person: &Person, team: &Team) -> Value {
    person.get(&team.path("/search/messages?q=look")).await.expect(200)["backend"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backend_is_changed_process_by_process_and_every_search_is_answered_meanwhile() {
    let mut old = TestApp::start_program(&[WITH_ELASTICSEARCH, ("BACKSCROLL_SEARCH", "postgres")]).await;
    let team = Team::found(&old).await;
    for _ in 0..20 {
        assert_eq!(say_and_find(&team, &team.owner, &[&team.member]).await, ["postgres"]);
    }

    // A first process with the new setting starts beside the old one. It fills Elasticsearch. Postgres answers until
    // the documents are verified.
    let mut wanted = old.environment.clone();
    wanted.insert("BACKSCROLL_SEARCH".into(), "elasticsearch".into());
    let (_program, url) = Program::serve(&wanted);
    let (owner, member) = (team.owner.at_url(&url), team.member.at_url(&url));
    let gives_up_at = tokio::time::Instant::now() + LIMIT;
    while is_filled(&member, &team).await != "elasticsearch" {
        assert!(tokio::time::Instant::now() < gives_up_at, "Elasticsearch is not filled after {LIMIT:?}");
        let answered = say_and_find(&team, &team.owner, &[&team.member, &member]).await;
        assert_eq!(answered[0], "postgres", "the old process answers as before");
    }

    // The old process ends, and the new one takes over its projections.
    old.kill_program();
    for _ in 0..10 {
        say_and_find(&team, &owner, &[&member]).await;
    }
    tests::eventually("Elasticsearch answers", async || say_and_find(&team, &owner, &[&member]).await == ["elasticsearch"]).await;

    let replayed = tests::program::output(&["replay", "search"], &wanted).await;
    assert!(replayed.status.success(), "backscroll replay search: {}", String::from_utf8_lossy(&replayed.stderr));
    assert_eq!(say_and_find(&team, &owner, &[&member]).await.len(), 1);

    // The change back: a process with the old setting answers from Postgres as soon as it starts.
    let mut back = wanted.clone();
    back.insert("BACKSCROLL_SEARCH".into(), "postgres".into());
    let (_program_again, url) = Program::serve(&back);
    let member = team.member.at_url(&url);
    assert_eq!(say_and_find(&team, &owner, &[&member]).await, ["postgres"]);
}
