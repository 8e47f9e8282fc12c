//! Changed copies of our own data: cursors, times, and messages of the feed.

use reqwest::StatusCode;
use serde_json::json;
use tests::servers::nats;
use tests::{Team, TestApp};

use super::raw::others_are_served;

/// Times that have a valid form, but are outside the range of Postgres.
const NO_MOMENTS: [&str; 4] = ["-262143-01-01T00:00:00Z", "-4713-01-01T00:00:00Z", "%2B10000-01-01T00:00:00Z", "%2B262142-12-31T23:59:59Z"];

#[tokio::test(flavor = "multi_thread")]
async fn a_time_outside_the_range_of_the_database_is_refused_in_a_query() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    for moment in NO_MOMENTS {
        for field in ["from", "to"] {
            let path = team.path(&format!("/log?{field}={moment}"));
            let refused = team.owner.get(&path).await.expect_problem(400, "request.query_invalid");
            assert_eq!(refused["field"], field);
        }
    }
}

/// Without this refusal the projection could not apply the event, and would park the user.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_ends_at_a_time_outside_the_range_is_refused() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let status = json!({"text": "away", "expires_at": "+262142-12-31T23:59:59Z"});
    team.member.put("/v1/users/me/custom-status", status).await.expect_problem(422, "user.custom_status_over");
    let last = json!({"text": "away", "expires_at": "9999-12-31T23:59:59Z"});
    let position = team.member.put("/v1/users/me/custom-status", last).await.position();
    assert_eq!(team.member.get_at(position, "/v1/users/me").await.expect(200)["custom_status"]["text"], "away");
    assert_eq!(app.as_operator("/readyz").await.expect(200)["parked"]["ok"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_cursor_is_refused_or_gives_a_page() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    team.message(&team.owner, team.general, "hello").await;
    let position = team.post(&team.owner, team.general, "again").await.position();
    let page = team.owner.get_at(position, &team.general("/messages?limit=1")).await.expect(200);
    let cursor = page["previous"].as_str().expect("a cursor");
    for at in 0..cursor.len() {
        for other in ["A", "9", "_", "", "%00", "%C3%A9"] {
            let tampered = format!("{}{other}{}", &cursor[..at], &cursor[at + 1..]);
            let answer = team.owner.get(&team.general(&format!("/messages?before={tampered}"))).await;
            if answer.status != StatusCode::OK {
                answer.expect_problem(400, "request.cursor_invalid");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_on_the_feed_that_is_no_event_is_skipped() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let jetstream = async_nats::jetstream::new(nats().await);
    let forged = json!({
        "position": 1, "event_id": team.id, "aggregate_type": "user", "aggregate_id": team.id, "sequence": 1, "workspace_id": null,
        "recorded_at": "2026-01-01T00:00:00Z", "event_type": "user.no_such", "event_version": "9", "payload": {}, "metadata": {},
    });
    let too_deep = "[".repeat(100_000);
    let messages = [b"".as_slice(), b"\xff\xfe", b"{}", b"null", too_deep.as_bytes(), &forged.to_string().into_bytes()].map(<[u8]>::to_vec);
    let subject = format!("{}.events.0.user.no_such", app.stream);
    for message in messages {
        let kept = jetstream.publish(subject.clone(), message.into()).await.expect("a message");
        kept.await.expect("the stream stores the message");
        others_are_served(&team).await;
    }
    assert_eq!(app.as_operator("/readyz").await.expect(200)["parked"]["ok"], true);
}
