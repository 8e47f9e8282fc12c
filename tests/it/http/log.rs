//! The log.

use serde_json::{Value, json};
use tests::{Team, TestApp};

fn types(page: &Value) -> Vec<&str> {
    page["items"].as_array().expect("rows").iter().map(|row| row["event_type"].as_str().expect("a type")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_may_read_the_log_and_members_may_not() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.member, "private", "secret", &[]).await;
    let position = team.post(&team.member, channel, "hush").await.position();
    let by_member = team.owner.get_at(position, &team.path(&format!("/log?actor={}", team.member.id))).await.expect(200);
    assert_eq!(types(&by_member)[0], "message.posted", "newest first, with the events of private channels");
    assert_eq!(by_member["items"][0]["metadata"]["session"].as_str().map(str::len), Some(36));
    let created =
        team.owner.get(&team.path(&format!("/log?aggregate_type=channel&aggregate_id={channel}&type=channel.created"))).await.expect(200);
    assert_eq!(types(&created), ["channel.created"]);
    let future = team.owner.get(&team.path("/log?from=2999-01-01T00:00:00Z")).await.expect(200);
    assert_eq!(future["items"], json!([]));

    team.member.get(&team.path("/log")).await.expect_problem(403, "access.forbidden");
    team.stranger.get(&team.path("/log")).await.expect_problem(404, "workspace.not_found");
    team.owner.get(&team.path("/log?aggregate_type=house")).await.expect_problem(400, "request.query_invalid");
    team.owner.get(&team.path("/log?from=yesterday")).await.expect_problem(400, "request.query_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_paged_without_gaps_or_repetitions() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let position = team.post(&team.owner, team.general, "hello").await.position();
    let all = team.owner.get_at(position, &team.path("/log?limit=100")).await.expect(200);
    let mut positions = Vec::new();
    let mut after = String::new();
    loop {
        let page = team.owner.get(&team.path(&format!("/log?limit=3{after}"))).await.expect(200);
        positions.extend(page["items"].as_array().expect("rows").iter().map(|row| row["position"].as_i64()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let expected = all["items"].as_array().expect("rows").iter().map(|row| row["position"].as_i64()).collect::<Vec<_>>();
    assert_eq!(positions, expected);
}
