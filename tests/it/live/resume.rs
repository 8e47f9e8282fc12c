//! Coming back with a cursor: nothing is missed and nothing comes twice, at any node.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::{join, join_all};
use serde_json::json;
use sqlx::query;
use tests::answer::Answer;
use tests::{Socket, Team, TestApp, eventually};
use uuid::Uuid;

use super::{names, pages, second, second_with, small, texts};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_comes_back_again_and_again_while_others_write_gets_everything_once() {
    let first = TestApp::start().await;
    let second = second(&first).await;
    let team = Team::found(&first).await;
    let begin = team.member.socket().await.cursor;
    let is_over = AtomicBool::new(false);
    let writing = async {
        for n in 0..120 {
            let app = if n % 2 == 0 { &first } else { &second };
            team.post(&team.owner.at(app), team.general, &n.to_string()).await.expect(201);
        }
        let last = team.post(&team.owner, team.general, "the end").await.position();
        is_over.store(true, Ordering::SeqCst);
        last
    };
    let reading = async {
        let (mut cursor, mut got, mut n) = (begin.clone(), Vec::new(), 0);
        while !is_over.load(Ordering::SeqCst) {
            n += 1;
            let app = if n % 2 == 0 { &first } else { &second };
            let mut socket = team.member.at(app).socket_after(&cursor).await;
            assert_eq!((&socket.hello["resumed"], &socket.hello["cursor"]), (&json!(true), &json!(cursor)));
            // Closes it while frames are on the way, or with the last one.
            socket.send(json!({"type": "ping"})).await;
            for _ in 0..n % 9 {
                let frame = socket.next().await.expect("an open socket");
                if frame["type"] == "pong" {
                    break;
                }
                got.push(frame);
            }
            cursor.clone_from(&socket.cursor);
        }
        (cursor, got)
    };
    let (last, (cursor, mut got)) = join(writing, reading).await;
    // The last event may have come already, before the writer had its answer.
    if !cursor.ends_with(&format!(":{last}")) {
        got.extend(team.member.socket_after(&cursor).await.events_to(last).await);
    }
    let expected = pages(&team.member, &team, &begin).await;
    assert_eq!(got, expected, "{} frames in place of {}", got.len(), expected.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_catches_up_more_slowly_than_others_write_reads_the_log_again_and_is_not_closed() {
    let app = TestApp::start_with(&[("BACKSCROLL_LIVE_QUEUE_BYTES", "16384")]).await;
    let team = Team::found(&app).await;
    let begin = team.member.socket().await.cursor;
    let long = "x".repeat(3_900);
    let write = async |posts: usize| {
        let posted = join_all((0..posts).map(|_| team.post(&team.owner, team.general, &long))).await;
        posted.iter().map(Answer::position).max().expect("posts")
    };
    // More than the systems of both sides keep. The client reads nothing of it at first.
    write(100).await;
    let mut slow = Socket::over(small(&app).await, team.member.handshake(&format!("?after={begin}"))).await.expect("a socket");
    // More than its queue keeps.
    write(20).await;
    let last = write(1).await;
    assert_eq!(slow.events_to(last).await, pages(&team.member, &team, &begin).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_was_removed_meanwhile_gets_its_removal_and_nothing_else() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let room = team.channel(&team.owner, "private", "room", &[&team.member]).await;
    let begin = team.member.socket().await.cursor;
    team.message(&team.owner, room, "while you were there").await;
    team.owner.delete(&format!("/v1/channels/{room}/members/{}", team.member.id)).await.expect(204);
    let last = team.post(&team.owner, team.general, "the end").await.position();
    let got = team.member.socket_after(&begin).await.events_to(last).await;
    assert_eq!((names(&got), texts(&got)), (vec!["channel.member_removed", "message.posted"], vec!["the end".to_owned()]));

    // Out of the whole workspace: only that.
    team.owner.put_empty(&team.path(&format!("/members/{}/deactivation", team.member.id))).await.expect(200);
    team.message(&team.owner, team.general, "without you").await;
    let mut back = team.member.socket_after(&begin).await;
    let got = [back.event().await, back.event().await];
    assert_eq!(names(&got), ["channel.member_removed", "workspace.member_deactivated"]);
    back.ping().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_is_not_connected_with_the_log_is_answered_with_a_reset_and_the_socket_goes_on() {
    let app = TestApp::start_with(&[("BACKSCROLL_CHANGES_BEHIND_MAX", "5")]).await;
    let team = Team::found(&app).await;
    let socket = team.member.socket().await;
    let (log_id, here) = socket.cursor.split_once(':').expect("a cursor");
    let ahead = here.parse::<i64>().expect("a position") + 1_000_000;
    let wrong = [
        ("log_changed", format!("{}:{here}", Uuid::now_v7())),
        ("ahead_of_log", format!("{log_id}:{ahead}")),
        ("too_far_behind", format!("{log_id}:0")),
    ];
    for (reason, cursor) in wrong {
        let mut socket = team.member.socket_after(&cursor).await;
        let reset = socket.next().await.expect("a frame");
        assert_eq!((reset["type"].as_str(), reset["reason"].as_str()), (Some("reset"), Some(reason)), "{reset}");
        // A client that keeps the newest cursor, and loses the connection before the `reset`, gets it again.
        assert_eq!((&socket.hello["resumed"], socket.hello.get("cursor")), (&json!(false), None));
        assert_eq!(reset["cursor"], format!("{}:{}", socket.hello["log_id"].as_str().expect("an identifier"), socket.hello["position"]));
        let last = team.post(&team.owner, team.general, reason).await.position();
        assert_eq!(texts(&socket.events_to(last).await), [reason]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_sockets_go_on_by_the_log_on_both_nodes() {
    let nowhere = format!("nats://127.0.0.1:{}", tests::servers::free_port());
    let first = TestApp::start_with(&[("BACKSCROLL_NATS_URL", &nowhere)]).await;
    let second = second_with(&first, &[("BACKSCROLL_NATS_URL", &nowhere)]).await;
    let team = Team::found(&first).await;
    let mut sockets = [team.member.socket().await, team.member.at(&second).socket().await];
    let begin = sockets[0].cursor.clone();
    for n in 0..5 {
        team.message(&team.owner.at(if n % 2 == 0 { &first } else { &second }), team.general, &n.to_string()).await;
    }
    let last = team.post(&team.owner, team.general, "the end").await.position();
    let expected = pages(&team.member, &team, &begin).await;
    assert_eq!(sockets[0].events_to(last).await, expected);
    // The room's own texts, that the members have joined, may come before.
    let got = texts(&sockets[1].events_to(last).await);
    assert!(got.ends_with(&["0", "1", "2", "3", "4", "the end"].map(str::to_owned)), "{got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_a_node_that_is_ahead_is_no_reset() {
    let first = TestApp::start().await;
    let second = second(&first).await;
    let team = Team::found(&first).await;
    for n in 0..20 {
        let last = team.post(&team.owner, team.general, &n.to_string()).await.position();
        // At once at the other node, whose hub may not have the event yet.
        let log_id = first.app().changes.log_id();
        let mut socket = team.member.at(&second).socket_after(&format!("{log_id}:{last}")).await;
        assert_eq!(socket.hello["resumed"], true);
        let next = team.post(&team.owner, team.general, "next").await.position();
        assert_eq!(texts(&socket.events_to(next).await), ["next"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_without_an_error_ends_the_connections_and_their_clients_miss_nothing() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let mut socket = team.member.socket().await;
    let pool = app.database.pool(1).await;
    let mut hanging = pool.begin().await.expect("a transaction");
    query("LOCK TABLE events IN ACCESS EXCLUSIVE MODE").execute(&mut *hanging).await.expect("the lock");
    let (code, _) = socket.end().await;
    assert_eq!(code, Some(4003));
    hanging.rollback().await.expect("the end of the lock");
    let last = team.post(&team.owner, team.general, "after it").await.position();
    eventually("the server takes connections again", async || {
        let Ok(mut back) = Socket::open(&team.member, &format!("?after={}", socket.cursor)).await else { return false };
        assert_eq!(texts(&back.events_to(last).await), ["after it"]);
        true
    })
    .await;
}
