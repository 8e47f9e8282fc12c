//! The end of a connection: the end of its session or its account ends it, on every node.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::person::PASSWORD;
use tests::socket::{Refused, Socket};
use tests::team::id;
use tests::{Person, Team, TestApp};

use super::second;

/// How long an end may take on a machine that others load too. `make bench` measures the second that is promised.
const END_MAX: Duration = Duration::from_secs(10);

/// Checks that the socket is closed with this code.
async fn ends_with(mut socket: Socket, code: u16, since: Instant) {
    assert_eq!(socket.end().await.0, Some(code));
    assert!(since.elapsed() < END_MAX, "it took {:?}", since.elapsed());
}

/// The same user, with a session of their own.
async fn again(app: &TestApp, person: &Person) -> Person {
    person.with_token(app.sign_in(&person.email).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_session_ends_its_sockets_on_every_node_and_no_others() {
    let first = TestApp::start().await;
    let second = second(&first).await;
    let person = first.sign_up("ida").await;
    let other = again(&first, &person).await;
    let sockets = [person.socket().await, person.at(&second).socket().await];
    let mut stays = other.at(&second).socket().await;
    let since = Instant::now();
    person.delete("/v1/sessions/current").await.expect(204);
    for socket in sockets {
        ends_with(socket, 4101, since).await;
    }
    assert_eq!(Socket::open(&person, "").await.err(), Some(Refused(401, "auth.token_invalid".into())));
    stays.ping().await;

    // By its identifier, from another device.
    let third = again(&first, &person).await;
    let sessions = other.get("/v1/sessions").await.expect(200);
    let current = |session: &&serde_json::Value| session["current"] == true;
    let of_third = third.get("/v1/sessions").await.expect(200);
    let session_id = id(of_third["items"].as_array().expect("sessions").iter().find(current).expect("its own"), "session_id");
    assert!(sessions["items"].is_array());
    let socket = third.at(&second).socket().await;
    let since = Instant::now();
    other.delete(&format!("/v1/sessions/{session_id}")).await.expect(204);
    ends_with(socket, 4101, since).await;
    stays.ping().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_ends_the_sockets_of_all_other_sessions() {
    let first = TestApp::start().await;
    let second = second(&first).await;
    let person = first.sign_up("ida").await;
    let other = again(&first, &person).await;
    let (mut own, sockets) = (person.socket().await, [other.socket().await, other.at(&second).socket().await]);
    let since = Instant::now();
    let body = json!({"current_password": PASSWORD, "new_password": "another horse battery"});
    person.put("/v1/users/me/password", body).await.expect(204);
    for socket in sockets {
        ends_with(socket, 4101, since).await;
    }
    own.ping().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_and_an_erasure_end_all_sockets_of_the_user() {
    let first = TestApp::start_with(&[("BACKSCROLL_ERASURE_HOURS", "0")]).await;
    let second = second(&first).await;
    let team = Team::found(&first).await;
    let sockets = [team.member.socket().await, again(&first, &team.member).await.at(&second).socket().await];
    let mut owner = team.owner.socket().await;
    let since = Instant::now();
    team.operator.put(&format!("/v1/users/{}/suspension", team.member.id), json!({})).await.expect(204);
    for socket in sockets {
        ends_with(socket, 4102, since).await;
    }
    assert_eq!(owner.event().await["event"], "user.suspended");
    assert!(Socket::open(&team.member, "").await.is_err());

    let socket = team.guest.at(&second).socket().await;
    let erased = team.guest.delete_confirmed("/v1/users/me").await;
    assert!(erased.status.is_success(), "{}: {}", erased.asked, erased.body);
    let (code, _) = { socket }.end().await;
    // The erasure ends the sessions too. The first of both events in the log gives the code.
    assert!(code == Some(4103) || code == Some(4101), "{code:?}");
    owner.ping().await;
}
