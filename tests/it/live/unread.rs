//! Read markers and unread counts on sockets.

use serde_json::{Value, json};
use tests::socket::Socket;
use tests::{Person, Team, TestApp};
use uuid::Uuid;

use super::second;

/// The answer of `GET …/unread` at a position.
async fn counted(team: &Team, person: &Person, position: i64) -> Value {
    let mut counts = person.get_at(position, &team.path("/unread?limit=100")).await.expect(200);
    assert_eq!(counts["next"], Value::Null);
    counts["channels"].take();
    counts
}

async fn rows(team: &Team, person: &Person, position: i64) -> Vec<Value> {
    person.get_at(position, &team.path("/unread?limit=100")).await.expect(200)["channels"].as_array().expect("rows").clone()
}

/// Checks a frame against `GET …/unread` at its position. Nobody writes meanwhile.
async fn check(team: &Team, person: &Person, frame: &Value) {
    assert_eq!(frame["workspace_id"], json!(team.id));
    let position = frame["position"].as_i64().expect("a position");
    let counts = counted(team, person, position).await;
    assert_eq!((&frame["unread"], &frame["mentions"]), (&counts["unread"], &counts["mentions"]), "at {position}");
    let rows = rows(team, person, position).await;
    for row in frame["channels"].as_array().expect("rows") {
        assert!(rows.contains(row), "{row} is not in {rows:?}");
    }
}

async fn ask(socket: &mut Socket, team: &Team) -> Value {
    socket.send(json!({"type": "unread", "workspace_id": team.id})).await;
    socket.ephemeral("unread").await
}

async fn mark(person: &Person, channel: Uuid, message: Uuid, back: bool) -> Value {
    let body = json!({"message_id": message, "move_back": back});
    person.put(&format!("/v1/channels/{channel}/read-marker"), body).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marker_moves_on_all_devices_of_its_user_at_every_server_and_on_nobody_elses() {
    let app = TestApp::start().await;
    let other = second(&app).await;
    let team = Team::found(&app).await;
    let first = team.message(&team.owner, team.general, "one").await;
    team.message(&team.owner, team.general, &format!("two <@{}>", team.member.id)).await;
    let phone = team.member.with_token(app.sign_in(&team.member.email).await);
    let (mut desk, mut phone) = (team.member.socket().await, phone.at(&other).socket().await);
    let mut owner = team.owner.socket().await;

    let moved = mark(&team.member, team.general, first, false).await;
    for socket in [&mut desk, &mut phone] {
        let marker = socket.ephemeral("read_marker").await;
        assert_eq!((&marker["channel_id"], &marker["workspace_id"]), (&json!(team.general), &json!(team.id)));
        assert_eq!((&marker["message_id"], &marker["created_at"]), (&json!(first), &moved["created_at"]));
        let unread = socket.ephemeral("unread").await;
        assert_eq!((&unread["unread"], &unread["mentions"]), (&json!(1), &json!(1)));
        assert_eq!(unread["channels"].as_array().map(Vec::len), Some(1), "the channel of the marker");
        check(&team, &team.member, &unread).await;
    }
    team.member.put_empty(&team.path("/read-marker")).await.expect(204);
    for socket in [&mut desk, &mut phone] {
        let marker = socket.ephemeral("read_marker").await;
        assert_eq!((&marker["channel_id"], &marker["workspace_id"]), (&Value::Null, &json!(team.id)));
        let unread = socket.ephemeral("unread").await;
        assert_eq!((&unread["unread"], &unread["mentions"]), (&json!(0), &json!(0)));
        check(&team, &team.member, &unread).await;
    }
    for frame in owner.before_pong().await {
        assert_ne!(frame["type"], "ephemeral", "of somebody else: {frame}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_gets_the_counts_of_their_own_workspaces() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    team.message(&team.owner, team.general, "hello").await;
    let mut member = team.member.socket().await;
    let frame = ask(&mut member, &team).await;
    assert_eq!((&frame["unread"], &frame["more"]), (&json!(1), &json!(false)));
    check(&team, &team.member, &frame).await;
    let mut stranger = team.stranger.socket().await;
    stranger.send(json!({"type": "unread", "workspace_id": team.id})).await;
    assert_eq!(stranger.next_of("error").await["code"], "workspace.not_found");
    stranger.ping().await;
}

/// How many more reads the limit allows a person.
async fn reads_left(team: &Team, person: &Person) -> u64 {
    let answer = person.get(&team.path("/unread")).await;
    let left = answer.header("ratelimit").and_then(|text| text.split(';').find_map(|part| part.strip_prefix("r=")));
    left.and_then(|left| left.parse().ok()).expect("the rest of the limit")
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_count_as_requests_of_their_user_on_all_sockets() {
    let app = TestApp::start_with(&[("BACKSCROLL_RATE_LIMITS", "all=1000000/3600 signal=2/3600")]).await;
    let team = Team::found(&app).await;
    let (mut desk, mut phone) = (team.member.socket().await, team.member.socket().await);
    let before = reads_left(&team, &team.member).await;
    for socket in [&mut desk, &mut phone] {
        ask(socket, &team).await;
    }
    assert_eq!(before - reads_left(&team, &team.member).await, 3, "two frames and a request");

    desk.send(json!({"type": "typing", "channel_id": team.general})).await;
    desk.ping().await;
    phone.send(json!({"type": "presence", "state": "away"})).await;
    phone.ping().await;
    for (socket, frame) in
        [(&mut desk, json!({"type": "typing", "channel_id": team.general})), (&mut phone, json!({"type": "presence", "state": "online"}))]
    {
        socket.send(frame).await;
        assert_eq!(socket.next_of("error").await["code"], "request.rate_limited");
        socket.ping().await;
    }
    team.member.put_empty(&team.general("/typing")).await.expect_problem(429, "request.rate_limited");
    let mut owner = team.owner.socket().await;
    owner.send(json!({"type": "presence", "state": "away"})).await;
    for frame in owner.before_pong().await {
        assert_ne!(frame["type"], "error", "another user has a limit of their own: {frame}");
    }
}

/// In random worlds, a frame has the counts of `GET …/unread` at its position.
#[tokio::test(flavor = "multi_thread")]
async fn counts_of_frames_are_those_of_http_at_the_same_position() {
    const STEPS: u64 = 40;
    let app = TestApp::start_with(&[("BACKSCROLL_RATE_LIMITS", "off")]).await;
    let team = Team::found(&app).await;
    let room = team.channel(&team.owner, "private", "room", &[&team.member]).await;
    let mut member = team.member.socket().await;
    let (mut messages, mut state) = (Vec::<(Uuid, Uuid)>::new(), 0x9e37_79b9_7f4a_7c15_u64);
    for _ in 0..STEPS {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let channel = [team.general, room][usize::from(state & 1 == 0)];
        let any = usize::try_from(state >> 40).expect("24 bits") % messages.len().max(1);
        match (state >> 8) % 8 {
            0 if !messages.is_empty() => {
                let (channel, message) = messages[any];
                mark(&team.member, channel, message, state & 2 == 0).await;
                let frame = member.ephemeral("unread").await;
                check(&team, &team.member, &frame).await;
            }
            1 if !messages.is_empty() => drop(team.owner.delete(&format!("/v1/messages/{}", messages.swap_remove(any).1)).await),
            2 => {
                team.member.put_empty(&team.path("/read-marker")).await.expect(204);
                let frame = member.ephemeral("unread").await;
                check(&team, &team.member, &frame).await;
            }
            3 => {
                let level = ["all", "mentions", "none"][usize::try_from(state >> 20).expect("44 bits") % 3];
                team.member.put(&format!("/v1/channels/{channel}/notification-level"), json!({"level": level})).await.expect(200);
            }
            _ => {
                let text = if state & 4 == 0 { format!("hello <@{}>", team.member.id) } else { "hello".to_owned() };
                messages.push((channel, team.message(&team.owner, channel, &text).await));
            }
        }
        let frame = ask(&mut member, &team).await;
        check(&team, &team.member, &frame).await;
        assert_eq!(frame["channels"], json!(rows(&team, &team.member, frame["position"].as_i64().expect("a position")).await));
    }
}
