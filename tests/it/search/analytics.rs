//! Counts for owners and admins of a workspace.

use serde_json::{Value, json};

use super::fixture::{Backend, Fixture};
use super::over_every_backend;

over_every_backend!(messages_are_counted_and_private_channels_are_not_named, only_owners_and_admins_read_the_counts);

async fn counts(fixture: &Fixture, by: &str) -> Vec<Value> {
    let head = fixture.settle().await;
    let path = fixture.team.path(&format!("/analytics/messages?by={by}"));
    fixture.team.owner.get_at(head, &path).await.expect(200)["items"].as_array().expect("rows").clone()
}

async fn messages_are_counted_and_private_channels_are_not_named(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    let team = &fixture.team;
    let secret = team.channel(&team.member, "private", "secret", &[]).await;
    let conversation = fixture.conversation(&team.member, &[&team.guest]).await;
    for channel in [team.general, team.general, secret, secret, secret, conversation] {
        team.message(&team.member, channel, "something").await;
    }
    fixture.say("more").await;
    let gone = fixture.say("less").await;
    team.owner.delete(&format!("/v1/messages/{gone}")).await.expect(204);

    let by_channel = counts(&fixture, "channel").await;
    let general = json!({"channel_id": team.general, "name": "general", "channel_type": "public"});
    let expected = [
        json!({"channel": general, "messages": 3, "authors": 2}),
        json!({"other_channels": "private", "messages": 3}),
        json!({"other_channels": "dm", "messages": 1}),
    ];
    assert!(by_channel.len() == 3 && expected.iter().all(|row| by_channel.contains(row)), "{by_channel:?}");
    assert!(!Value::from(by_channel).to_string().contains(&secret.to_string()));

    let by_person = counts(&fixture, "person").await;
    let told = |row: &Value| (row["person"]["username"].as_str().map(str::to_owned), row["messages"].as_u64());
    assert_eq!(
        by_person.iter().map(told).collect::<Vec<_>>(),
        [(Some(team.member.username.clone()), Some(6)), (Some(team.owner.username.clone()), Some(1))]
    );
    for by in ["day", "hour"] {
        let counted = counts(&fixture, by).await;
        let sum = |field: &str| counted.iter().filter_map(|row| row[field].as_u64()).sum::<u64>();
        assert!(sum("messages") == 7 && sum("authors") >= 2, "{by}: {counted:?}");
    }
    let none = team.path("/analytics/messages?by=day&to=2020-01-01T00:00:00Z");
    assert_eq!(team.owner.get(&none).await.expect(200)["items"], json!([]));
    let growth = team.owner.get(&team.path("/analytics/members")).await.expect(200);
    let last = growth["items"].as_array().expect("days").last().cloned().expect("a day");
    assert_eq!(last["members"], 3);
}

async fn only_owners_and_admins_read_the_counts(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    let team = &fixture.team;
    for path in ["/analytics/messages?by=channel", "/analytics/members"] {
        team.member.get(&team.path(path)).await.expect_problem(403, "access.forbidden");
        team.guest.get(&team.path(path)).await.expect_problem(403, "access.forbidden");
        team.stranger.get(&team.path(path)).await.expect_problem(404, "workspace.not_found");
        team.owner.get(&team.path(path)).await.expect(200);
    }
    team.owner.get(&team.path("/analytics/messages")).await.expect_problem(400, "request.query_invalid");
    team.owner.get(&team.path("/analytics/messages?by=mood")).await.expect_problem(400, "request.query_invalid");
    team.owner.get(&team.path("/analytics/messages?by=day&limit=1001")).await.expect(200);
    team.owner.get(&team.path("/analytics/messages?by=day&limit=0")).await.expect_problem(400, "request.query_invalid");
}
