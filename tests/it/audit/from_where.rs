//! Client addresses: the audit finds events by address until the user is erased, and not afterwards, even after a
//! rebuild.

use projections::{RELATIONAL, RebuildOptions};
use serde_json::json;
use tests::{Person, Team, TestApp};

use super::{audit, each};

const ADDRESS: &str = "198.51.100.23";

/// A server that trusts a proxy, a workspace, and a member of it with the address [`ADDRESS`].
async fn team_with_somebody() -> (TestApp, Team, Person) {
    let app = TestApp::start_with(&[("BACKSCROLL_TRUSTED_PROXIES", "127.0.0.0/8"), ("BACKSCROLL_ERASURE_HOURS", "0")]).await;
    let team = Team::found(&app).await;
    let somebody = team.member.coming_from(ADDRESS, "Gyrfalcon/7");
    team.message(&somebody, team.general, "hello").await;
    let guess = json!({"login": somebody.email, "password": "a guess"});
    somebody.post("/v1/sessions", guess).await.expect(401);
    (app, team, somebody)
}

async fn tamper(app: &TestApp, update: &str) {
    let mut tx = app.app().pool.begin().await.expect("a transaction");
    for statement in ["ALTER TABLE public.events DISABLE TRIGGER USER", update, "ALTER TABLE public.events ENABLE TRIGGER USER"] {
        sqlx::query(statement).execute(&mut *tx).await.expect("the database's owner may do this");
    }
    tx.commit().await.expect("a transaction");
}

/// Rebuilds the read tables, and checks that they equal the live ones.
async fn rebuilt_is_the_same(app: &TestApp) {
    let rebuilt = projections::rebuild(&app.app().stores, RELATIONAL, RebuildOptions::default(), |_| {}).await.expect("the same tables");
    assert!(rebuilt.compared_at.is_some() && rebuilt.differences.is_empty(), "{rebuilt:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_finds_events_by_address_until_the_user_is_erased() {
    let (app, team, somebody) = team_with_somebody().await;
    let from_there = format!("&address={ADDRESS}");
    let before = audit(&app, &team, &team.owner, &from_there).await;
    // The guess at the password belongs to no workspace, so its address is not shown in this one.
    assert_eq!(each(&before, "event_type"), ["message.posted"]);
    assert_eq!((&before[0]["address"], &before[0]["user_agent"]), (&json!(ADDRESS), &json!("Gyrfalcon/7")));
    rebuilt_is_the_same(&app).await;
    assert_eq!(audit(&app, &team, &team.owner, &from_there).await.len(), 1);

    somebody.delete_confirmed("/v1/users/me").await.expect(204);
    for built_anew in [false, true] {
        if built_anew {
            rebuilt_is_the_same(&app).await;
        }
        assert_eq!(audit(&app, &team, &team.owner, &from_there).await.len(), 0, "{built_anew}");
        let theirs = audit(&app, &team, &team.owner, &format!("&actor={}", somebody.id)).await;
        assert!(each(&theirs, "event_type").contains(&"message.posted"), "{theirs:?}");
        assert!(theirs.iter().all(|entry| entry["address"].is_null() && entry["user_agent"].is_null()), "{theirs:?}");
    }
    let others = audit(&app, &team, &team.owner, &format!("&actor={}", team.owner.id)).await;
    assert!(others.iter().all(|entry| entry["address"] == json!("127.0.0.1")), "the events of other users keep their address");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_an_old_release_left_unsealed_is_shown_until_the_user_is_erased_too() {
    let (app, team, somebody) = team_with_somebody().await;
    let before = audit(&app, &team, &team.owner, &format!("&address={ADDRESS}")).await;
    let plain = json!({"address": ADDRESS, "user_agent": "of old"});
    let update = format!(
        "UPDATE public.events SET metadata = (metadata::jsonb - 'sealed' || '{plain}')::json WHERE position = {}",
        before[0]["position"]
    );
    tamper(&app, &update).await;
    let before = audit(&app, &team, &team.owner, &format!("&address={ADDRESS}")).await;
    assert_eq!(each(&before, "user_agent"), ["of old"]);

    somebody.delete_confirmed("/v1/users/me").await.expect(204);
    let theirs = audit(&app, &team, &team.owner, &format!("&actor={}", somebody.id)).await;
    assert!(theirs.len() > 2 && theirs.iter().all(|entry| entry["address"].is_null() && entry["user_agent"].is_null()), "{theirs:?}");
    rebuilt_is_the_same(&app).await;
    assert_eq!(audit(&app, &team, &team.owner, &format!("&address={ADDRESS}")).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_in_an_audit_filter_is_not_in_the_log() {
    let (app, team, _) = team_with_somebody().await;
    for address in [ADDRESS, "203.0.113.5"] {
        audit(&app, &team, &team.owner, &format!("&address={address}")).await;
    }
    team.owner.get(&team.path(&format!("/audit/export?address={ADDRESS}"))).await.expect(200);
    let plain = "SELECT count(*) FROM public.events WHERE payload::text LIKE '%198.51.100.23%' OR metadata::text LIKE '%198.51.100.23%'";
    assert_eq!(sqlx::query_scalar::<_, i64>(plain).fetch_one(&app.app().pool).await.expect("a count"), 0);
    let asked = audit(&app, &team, &team.owner, "&aggregate_type=audit&command=read+audit").await;
    let asked = asked.iter().map(|entry| entry["payload"]["audit.read"]["filter"]["address"].clone()).filter(|said| !said.is_null());
    let asked = asked.collect::<Vec<_>>();
    assert!(asked.len() == 2 && asked[0] != asked[1], "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_a_refused_unknown_login_belongs_to_no_user_and_stays() {
    let (app, team, _) = team_with_somebody().await;
    let stranger = team.stranger.coming_from(ADDRESS, "Gyrfalcon/7");
    stranger.post("/v1/sessions", json!({"login": "nobody at all", "password": "a guess"})).await.expect(401);
    let plain =
        "SELECT metadata ->> 'address' FROM public.events WHERE event_type = 'session.refused' AND payload::text LIKE '%unknown_login%'";
    let plain = sqlx::query_scalar::<_, Option<String>>(plain).fetch_one(&app.app().pool).await.expect("the event");
    assert_eq!(plain.as_deref(), Some(ADDRESS));
}

/// Every way in which an auditor reads events: pages, one aggregate through time, the log, exports.
async fn read_in_every_way(team: &Team, sign_in: &serde_json::Value) -> Vec<(&'static str, String)> {
    let (thing, position) = (sign_in["aggregate_id"].as_str().expect("a thing"), &sign_in["position"]);
    let mut texts = Vec::new();
    for (way, path) in [
        ("page", "/audit?limit=100".to_owned()),
        ("log", "/log?limit=100".to_owned()),
        ("history", format!("/audit/aggregates/session/{thing}/history")),
        ("as of", format!("/audit/aggregates/session/{thing}/as-of?position={position}")),
        ("difference", format!("/audit/aggregates/session/{thing}/diff?from=1&to={position}")),
        ("chain", format!("/audit/events/{position}/chain")),
        ("export", "/audit/export".to_owned()),
        ("export as CSV", "/audit/export?format=csv".to_owned()),
    ] {
        texts.push((way, team.owner.get(&team.path(&path)).await.body.to_string()));
    }
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_a_session_is_hidden_from_workspaces_in_which_it_did_nothing() {
    let (app, team, _) = team_with_somebody().await;
    let at_home = "203.0.113.77";
    let home = team.member.coming_from(at_home, "Kestrel/1");
    let token = home.post("/v1/sessions", json!({"login": home.email, "password": tests::person::PASSWORD})).await.expect(201);
    let home = home.with_token(token["token"].as_str().expect("a token").to_owned());
    // The user does something in a workspace of their own, and something outside workspaces.
    home.post("/v1/workspaces", json!({"name": "Theirs"})).await.expect(201);
    home.patch("/v1/users/me", json!({"title": "Engineer"})).await.expect(200);
    let started = audit(&app, &team, &team.owner, &format!("&type=session.started&actor={}", home.id)).await;
    assert!(started[0]["address"].is_null() && started[0]["user_agent"].is_null(), "{started:?}");
    for (way, text) in read_in_every_way(&team, &started[0]).await {
        assert!(!text.contains(at_home) && !text.contains("Kestrel"), "{way}: {text}");
    }
    // A filter by the address finds nothing, so it reveals nothing either.
    assert_eq!(audit(&app, &team, &team.owner, &format!("&address={at_home}")).await.len(), 0);

    // As soon as the session does something in this workspace, its sign-in belongs to this workspace.
    team.message(&home, team.general, "hello from home").await;
    let found = audit(&app, &team, &team.owner, &format!("&address={at_home}")).await;
    assert_eq!(each(&found, "event_type"), ["message.posted", "session.started"]);
    assert_eq!(each(&found, "address"), [at_home, at_home]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_address_is_shown_to_no_workspace() {
    let (app, team, _) = team_with_somebody().await;
    let at_work = "203.0.113.99";
    let operator = team.operator.coming_from(at_work, "Merlin/2");
    operator.put(&format!("/v1/users/{}/suspension", team.stranger.id), json!({})).await.expect(204);
    operator.post("/v1/projections/relational/replays", json!({})).await.expect(202);
    let entries = audit(&app, &team, &team.owner, "").await;
    assert!(!json!(entries).to_string().contains(at_work), "{entries:?}");
    assert_eq!(audit(&app, &team, &team.owner, &format!("&address={at_work}")).await.len(), 0);
}
