//! Presence by sockets, and the sessions that are connected.

use std::time::{Duration, Instant};

use futures::future::join_all;
use redis::AsyncCommands;
use serde_json::{Value, json};
use tests::socket::Socket;
use tests::{Person, Team, TestApp, eventually};

use super::second;

async fn watch(socket: &mut Socket, people: &[&Person]) {
    let users = people.iter().map(|person| person.id).collect::<Vec<_>>();
    socket.send(json!({"type": "watch", "users": users})).await;
}

/// Reads until the socket gets this presence of a person, and returns the other people that it got.
async fn until_shown(socket: &mut Socket, person: &Person, presence: &str) -> Vec<Value> {
    let mut others = Vec::new();
    loop {
        let frame = socket.ephemeral("presence").await;
        let mut is_told = false;
        for one in frame["people"].as_array().expect("people") {
            if one["user_id"] == person.id.to_string() {
                is_told = one["presence"] == presence;
            } else {
                others.push(one.clone());
            }
        }
        if is_told {
            return others;
        }
    }
}

async fn shown(team: &Team, person: &Person) -> Value {
    team.owner.get(&team.path(&format!("/members/{}/presence", person.id))).await.expect(200)["presence"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_online_while_a_socket_is_there_away_by_its_word_and_offline_half_a_minute_after_the_last() {
    let app = TestApp::start().await;
    let other = second(&app).await;
    let team = Team::found(&app).await;
    let mut owner = team.owner.socket().await;
    watch(&mut owner, &[&team.member, &team.owner]).await;
    until_shown(&mut owner, &team.member, "offline").await;

    // She comes in at another server.
    let mut desk = team.member.at(&other).socket().await;
    until_shown(&mut owner, &team.member, "online").await;
    assert_eq!(shown(&team, &team.member).await, "online");
    desk.send(json!({"type": "presence", "state": "away"})).await;
    until_shown(&mut owner, &team.member, "away").await;
    assert_eq!(shown(&team, &team.member).await, "away");
    let phone = team.member.socket().await;
    until_shown(&mut owner, &team.member, "online").await;
    drop(phone);
    // The word of a heartbeat over HTTP counts beside those of sockets.
    team.member.put(&team.path("/presence"), json!({"presence": "dnd"})).await.expect(204);
    until_shown(&mut owner, &team.member, "dnd").await;
    team.member.delete(&team.path("/presence")).await.expect(204);

    drop(desk);
    let left_at = Instant::now();
    until_shown(&mut owner, &team.member, "offline").await;
    let took = left_at.elapsed();
    assert!((Duration::from_secs(25)..Duration::from_secs(95)).contains(&took), "offline after {took:?}");
    assert_eq!(shown(&team, &team.member).await, "offline");
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_is_told_to_those_who_asked_and_see_the_person_and_to_nobody_else() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    // Everyone but guests stays in #general. The guest leaves it, and shares a room with the others only.
    let hidden = app.sign_up("hidden").await;
    team.take_in(&hidden, "member").await;
    team.channel(&team.owner, "private", "room", &[&team.member, &team.guest]).await;
    let left = team.guest.delete(&team.general("/membership")).await;
    assert!(left.status.is_success(), "{}", left.body);

    let mut guest = team.guest.socket().await;
    let mut stranger = team.stranger.socket().await;
    let mut unasked = team.owner.socket().await;
    let mut asked = team.owner.socket().await;
    watch(&mut guest, &[&hidden, &team.member]).await;
    watch(&mut stranger, &[&hidden, &team.member, &team.stranger]).await;
    watch(&mut asked, &[&hidden, &team.member, &team.stranger]).await;
    until_shown(&mut asked, &team.member, "offline").await;

    let _hidden = hidden.socket().await;
    until_shown(&mut asked, &hidden, "online").await;
    let _member = team.member.socket().await;
    let others = until_shown(&mut asked, &team.member, "online").await;
    assert!(others.iter().all(|one| one["user_id"] != team.stranger.id.to_string()), "they share no workspace: {others:?}");
    let others = until_shown(&mut guest, &team.member, "online").await;
    assert!(others.is_empty(), "the guest does not see her: {others:?}");
    for socket in [&mut stranger, &mut unasked] {
        for frame in socket.before_pong().await {
            assert_ne!(frame["kind"], "presence", "{frame}");
        }
    }

    // A connection that watches another person now gets nothing about the earlier ones.
    watch(&mut asked, &[&team.guest]).await;
    until_shown(&mut asked, &team.guest, "online").await;
    team.member.put(&team.path("/presence"), json!({"presence": "dnd"})).await.expect(204);
    team.guest.put(&team.path("/presence"), json!({"presence": "dnd"})).await.expect(204);
    assert_eq!(until_shown(&mut asked, &team.guest, "dnd").await, Vec::<Value>::new());
    let many = vec![team.member.id; 201];
    asked.send(json!({"type": "watch", "users": many})).await;
    assert_eq!(asked.next_of("error").await["code"], "live.too_many_watched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_who_was_deactivated_is_told_of_nobody() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (mut owner, mut member) = (team.owner.socket().await, team.member.socket().await);
    for socket in [&mut owner, &mut member] {
        watch(socket, &[&team.guest]).await;
        until_shown(socket, &team.guest, "offline").await;
    }
    team.owner.put_empty(&team.path(&format!("/members/{}/deactivation", team.member.id))).await.expect(200);
    let _guest = team.guest.socket().await;
    until_shown(&mut owner, &team.guest, "online").await;
    for frame in member.before_pong().await {
        assert_ne!(frame["kind"], "presence", "{frame}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_come_online_together_are_told_together_and_only_to_those_who_asked() {
    const PEOPLE: usize = 24;
    let app = TestApp::start_with(&[("BACKSCROLL_RATE_LIMITS", "off")]).await;
    let team = Team::found(&app).await;
    let mut people = Vec::new();
    for n in 0..PEOPLE {
        let person = app.sign_up(&format!("p{n}")).await;
        team.take_in(&person, "member").await;
        people.push(person);
    }
    let mut owner = team.owner.socket().await;
    watch(&mut owner, &people.iter().collect::<Vec<_>>()).await;
    until_shown(&mut owner, &people[PEOPLE - 1], "offline").await;
    let began = Instant::now();
    let mut sockets = join_all(people.iter().map(|person| person.socket())).await;
    let (mut online, mut frames) = (0, 0_u128);
    while online < PEOPLE {
        let frame = owner.ephemeral("presence").await;
        let people = frame["people"].as_array().expect("people");
        online += people.iter().filter(|one| one["presence"] == "online").count();
        frames += 1;
    }
    assert_eq!(online, PEOPLE, "nobody comes twice");
    // One frame in a quarter of a second.
    let most = began.elapsed().as_millis() / 200 + 2;
    assert!(frames <= most, "{PEOPLE} people came in {frames} frames within {:?}", began.elapsed());
    for socket in &mut sockets {
        for frame in socket.before_pong().await {
            assert_ne!(frame["type"], "ephemeral", "nobody asked for it: {frame}");
        }
    }
}

async fn connected(person: &Person) -> Vec<(bool, bool)> {
    let sessions = person.get("/v1/sessions").await.expect(200);
    let sessions = sessions["items"].as_array().expect("sessions").iter();
    sessions.map(|session| (session["current"] == true, session["connected"] == true)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_sees_which_sessions_are_connected_at_any_server() {
    let app = TestApp::start().await;
    let other = second(&app).await;
    let team = Team::found(&app).await;
    let second = team.member.with_token(app.sign_in(&team.member.email).await);
    assert_eq!(connected(&team.member).await, [(false, false), (true, false)]);
    let socket = second.at(&other).socket().await;
    eventually("the second session is connected", async || connected(&team.member).await == [(false, true), (true, false)]).await;

    let mut redis = app.redis().await.expect("Redis");
    let id = socket.hello["connection_id"].as_str().expect("a connection").to_owned();
    let key = format!("{}connection:{id}", app.redis_prefix);
    let kept = redis.get::<_, String>(&key).await.expect("the connection");
    let kept = serde_json::from_str::<Value>(&kept).expect("JSON");
    assert_eq!((&kept["user_id"], &kept["workspaces"]), (&json!(team.member.id), &json!([team.id])));
    assert!(kept["connected_at"].is_string(), "{kept}");
    assert!((7_100..=7_200).contains(&redis.ttl::<_, i64>(&key).await.expect("the time to live")));

    drop(socket);
    eventually("no session is connected", async || connected(&team.member).await == [(false, false), (true, false)]).await;
    eventually("the connection is removed", async || !redis.clone().exists::<_, bool>(&key).await.expect("an answer")).await;
}
