//! Sign-ins, refused sign-ins, sign-outs and reads of the audit are recorded in the audit.

use serde_json::json;
use tests::person::PASSWORD;
use tests::{Team, TestApp};

use super::{audit, each};

#[tokio::test(flavor = "multi_thread")]
async fn members_sign_ins_refusals_and_ends_of_sessions_are_entries_of_their_workspace() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let token = app.sign_in(&team.member.email).await;
    app.post("/v1/sessions", &json!({"login": team.member.username, "password": "not the password"})).await.expect(401);
    team.member.with_token(token).delete("/v1/sessions/current").await.expect(204);
    let entries = audit(&app, &team, &team.owner, &format!("&aggregate_type=session&actor={}", team.member.id)).await;
    assert_eq!(each(&entries, "event_type"), ["session.ended", "session.refused", "session.started"], "the events since the member joined");
    let (ended, refused, started) = (&entries[0], &entries[1], &entries[2]);
    assert_eq!(ended["payload"]["session.ended"]["reason"], "signed_out");
    assert_eq!(refused["payload"]["session.refused"], json!({"user_id": team.member.id, "cause": "wrong_password"}));
    // The session did nothing in the workspace, so the workspace's owners do not see its address.
    assert_eq!((&started["address"], &started["actor_id"]), (&json!(null), &json!(team.member.id)));
    assert_eq!(started["aggregate_id"], started["session_id"]);
    let elsewhere = audit(&app, &team, &team.owner, &format!("&actor={}", team.stranger.id)).await;
    assert_eq!(elsewhere.len(), 0, "the sign-ins of a stranger do not belong to this workspace");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivated_members_sign_ins_are_shown_up_to_the_deactivation() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    app.sign_in(&team.guest.email).await;
    team.owner.put_empty(&team.path(&format!("/members/{}/deactivation", team.guest.id))).await.expect(200);
    app.sign_in(&team.guest.email).await;
    let entries = audit(&app, &team, &team.owner, &format!("&type=session.started&actor={}", team.guest.id)).await;
    assert_eq!(entries.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_and_no_unknown_login_is_in_the_log() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    for login in ["mistyped-password-1", "Mistyped-Password-1", "another@example.org"] {
        app.post("/v1/sessions", &json!({"login": login, "password": "a secret of mine"}))
            .await
            .expect_problem(401, "session.wrong_credentials");
    }
    app.post("/v1/sessions", &json!({"login": team.owner.email, "password": "a secret of mine"})).await.expect(401);
    let log = sqlx::query_scalar::<_, String>(
        "SELECT string_agg(payload::text || metadata::text, ' ') FROM events WHERE aggregate_type = 'session'",
    );
    let log = log.fetch_one(&app.app().pool).await.expect("the log").to_lowercase();
    for secret in ["mistyped", "another@example.org", "a secret of mine", PASSWORD, &team.owner.token] {
        assert!(!log.contains(&secret.to_lowercase()), "{secret} is in the log");
    }
    let digests = "SELECT payload->'session.refused'->>'login_digest' FROM events WHERE event_type = 'session.refused' ORDER BY position";
    let digests = sqlx::query_scalar::<_, Option<String>>(digests).fetch_all(&app.app().pool).await.expect("the log");
    assert_eq!((&digests[0], digests[0] == digests[2], &digests[3]), (&digests[1], false, &None), "the same login has the same digest");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_who_guesses_passwords_does_not_fill_the_log() {
    let app = TestApp::start().await;
    let refused = async || {
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM events WHERE event_type = 'session.refused'");
        count.fetch_one(&app.app().pool).await.expect("a count")
    };
    for n in 0..30 {
        app.post("/v1/sessions", &json!({"login": format!("guess-{n}"), "password": "guess"})).await.expect(401);
    }
    assert_eq!(refused().await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_user_cannot_sign_in_and_the_refusal_is_recorded() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    team.operator.put(&format!("/v1/users/{}/suspension", team.member.id), json!({})).await.expect(204);
    app.post("/v1/sessions", &json!({"login": team.member.email, "password": PASSWORD})).await.expect_problem(403, "user.not_active");
    let entries = audit(&app, &team, &team.owner, "&type=session.refused").await;
    assert_eq!(entries[0]["payload"]["session.refused"]["cause"], "not_active");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_the_last_sign_in_is_known_and_a_replay_computes_it_too() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    app.sign_in(&team.member.email).await;
    let entries = audit(&app, &team, &team.owner, &format!("&type=session.started&actor={}", team.member.id)).await;
    let read = app.app().read_models.user(team.member.id.into()).await.expect("the read models").expect("a user");
    assert_eq!(serde_json::to_value(read.last_login_at).expect("JSON"), entries[0]["recorded_at"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_of_the_audit_is_recorded_once_for_the_same_filter() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    for _ in 0..3 {
        audit(&app, &team, &team.owner, "&type=channel.created").await;
    }
    let reads = audit(&app, &team, &team.owner, "&type=audit.read").await;
    let asked = reads.iter().map(|entry| entry["payload"]["audit.read"]["filter"]["type"].as_str().expect("a type")).collect::<Vec<_>>();
    assert!(asked.contains(&"channel.created") && asked.len() <= 2, "{asked:?}");
    assert_eq!(reads[0]["actor_id"], team.owner.id.to_string());
    team.member.get(&team.path("/audit")).await.expect(403);
    let again = audit(&app, &team, &team.owner, "&type=audit.read").await;
    assert!(each(&again, "actor_id").iter().all(|id| *id == team.owner.id.to_string()), "a refused read is not recorded");
}
