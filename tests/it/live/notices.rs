//! The notices that nodes send each other over NATS.

use serde_json::{Value, json};
use tests::{Team, TestApp};
use uuid::Uuid;

/// A message as another node sends it.
fn message(log_id: &Value, notices: Value) -> Vec<u8> {
    json!({"log_id": log_id, "node": Uuid::now_v7(), "notices": notices}).to_string().into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_of_another_log_and_nonsense_are_ignored_and_the_next_one_counts() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let mut owner = team.owner.socket().await;
    let log_id = owner.hello["log_id"].clone();
    let typing = |user_id: Uuid| json!({"kind": "typing", "workspace_id": team.id, "channel_id": team.general, "user_id": user_id});
    let right = message(&log_id, json!([{"kind": "of a later release"}, 7, typing(team.member.id)]));
    let (nats, subject) = (&app.app().nats, migrations::nats::notices_subject(&app.stream));
    // The server subscribes soon after its start.
    loop {
        nats.publish(subject.clone(), right.clone().into()).await.expect("published");
        if let Some(frame) = owner.before_pong().await.into_iter().find(|frame| frame["kind"] == "typing") {
            assert_eq!(frame["user_id"], json!(team.member.id));
            break;
        }
    }
    let of_another_log = message(&json!(Uuid::now_v7()), json!([typing(team.stranger.id)]));
    let huge = message(&log_id, json!([typing(team.stranger.id), "x".repeat(300_000)]));
    for wrong in [of_another_log, huge, b"nonsense".to_vec(), Vec::new(), message(&log_id, json!({"kind": "typing"}))] {
        nats.publish(subject.clone(), wrong.into()).await.expect("published");
    }
    nats.publish(subject, message(&log_id, json!([typing(team.guest.id)])).into()).await.expect("published");
    loop {
        let frame = owner.next_of("ephemeral").await;
        assert_ne!(frame["user_id"], json!(team.stranger.id), "{frame}");
        if frame["user_id"] == json!(team.guest.id) {
            break;
        }
    }
}
