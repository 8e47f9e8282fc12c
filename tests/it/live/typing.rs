//! Typing, by frames and over HTTP.

use serde_json::{Value, json};
use tests::socket::Socket;
use tests::{Team, TestApp, eventually};
use uuid::Uuid;

use super::second;

async fn typing(socket: &mut Socket) -> (Value, Value) {
    let frame = socket.ephemeral("typing").await;
    (frame["channel_id"].clone(), frame["user_id"].clone())
}

/// Checks that nothing of typing comes before the answer to a ping. All that was sent to this socket before is read.
async fn is_told_nothing(socket: &mut Socket) {
    for frame in socket.before_pong().await {
        assert_ne!(frame["kind"], "typing", "{frame}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_is_told_to_other_readers_of_the_channel_at_every_server_and_to_nobody_else() {
    let app = TestApp::start().await;
    let other = second(&app).await;
    let team = Team::found(&app).await;
    let private = team.channel(&team.owner, "private", "secret", &[&team.member]).await;
    let (mut owner, mut member) = (team.owner.socket().await, team.member.at(&other).socket().await);
    let (mut guest, mut stranger) = (team.guest.socket().await, team.stranger.socket().await);
    let (here, there) = (json!(private), json!(team.general));

    owner.send(json!({"type": "typing", "channel_id": private})).await;
    assert_eq!(typing(&mut member).await, (here.clone(), json!(team.owner.id)), "at another server");
    let listed = team.member.get(&format!("/v1/channels/{private}/typing")).await.expect(200);
    assert_eq!(listed["items"][0]["user_id"], json!(team.owner.id), "who asks over HTTP gets the same");
    team.member.at(&other).put_empty(&format!("/v1/channels/{private}/typing")).await.expect(204);
    assert_eq!(typing(&mut owner).await, (here, json!(team.member.id)), "typing over HTTP reaches sockets");
    team.member.put_empty(&team.general("/typing")).await.expect(204);
    assert_eq!(typing(&mut guest).await, (there.clone(), json!(team.member.id)), "the first that the guest hears");
    assert_eq!(typing(&mut owner).await, (there, json!(team.member.id)));
    for socket in [&mut stranger, &mut member] {
        is_told_nothing(socket).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_post_cannot_type_and_the_socket_stays() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let private = team.channel(&team.owner, "private", "secret", &[&team.member]).await;
    let mut owner = team.owner.socket().await;
    let mut guest = team.guest.socket().await;
    for (channel, code) in [(private, "channel.not_found"), (Uuid::now_v7(), "channel.not_found")] {
        guest.send(json!({"type": "typing", "channel_id": channel})).await;
        assert_eq!(guest.next_of("error").await["code"], code);
    }
    team.owner.put_empty(&format!("/v1/channels/{private}/archived")).await.expect(200);
    let mut member = team.member.socket().await;
    member.send(json!({"type": "typing", "channel_id": private})).await;
    assert_eq!(member.next_of("error").await["code"], "channel.archived");
    team.stranger.put_empty(&team.general("/typing")).await.expect_problem(404, "channel.not_found");

    guest.send(json!({"type": "typing", "channel_id": team.general})).await;
    assert_eq!(typing(&mut owner).await, (json!(team.general), json!(team.guest.id)), "nothing came before");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_pressed_quickly_are_told_once_in_two_seconds() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (mut owner, mut member) = (team.owner.socket().await, team.member.socket().await);
    for _ in 0..10 {
        member.send(json!({"type": "typing", "channel_id": team.general})).await;
    }
    team.guest.put_empty(&team.general("/typing")).await.expect(204);
    let mut by = vec![typing(&mut owner).await.1];
    while by.last() != Some(&json!(team.guest.id)) {
        by.push(typing(&mut owner).await.1);
    }
    assert!(by.len() <= 3, "{by:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_typing_is_told_at_its_own_server() {
    let app = TestApp::start_with(&[("BACKSCROLL_NATS_URL", "nats://127.0.0.1:1")]).await;
    let team = Team::found(&app).await;
    let mut owner = team.owner.socket().await;
    team.member.put_empty(&team.general("/typing")).await.expect(204);
    assert_eq!(typing(&mut owner).await, (json!(team.general), json!(team.member.id)));
    let counted = async || {
        let metrics = app.as_operator("/metrics").await;
        let text = metrics.body.as_str().unwrap_or_default().to_owned();
        let dropped = text.lines().find_map(|line| line.strip_prefix("backscroll_live_notices_total{what=\"dropped\"} "));
        dropped.and_then(|count| count.parse::<f64>().ok()).is_some_and(|count| count > 0.0)
    };
    eventually("the notice to other servers is dropped", counted).await;
}
