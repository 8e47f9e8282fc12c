//! Exports of the audit: complete, signed, and without texts that the caller may not read.

use ledger::audit::{Unverified, verify_export};
use ledger::proof::note::VerifyingKey;
use serde_json::{Value, json};
use tests::person::Person;
use tests::{Team, TestApp};

use super::{audit, each};

/// The exported file, and the key that it claims to be signed with.
async fn export(app: &TestApp, team: &Team, by: &Person, query: &str) -> (String, VerifyingKey) {
    app.app().commands.store().catch_up().await.expect("the head");
    let answer = by.get(&team.path(&format!("/audit/export?{query}"))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let key = answer.header("backscroll-export-key").expect("a key").parse().expect("a key");
    let text = answer.body.as_str().map_or_else(|| answer.body.to_string(), str::to_owned);
    (text, key)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_every_entry_and_a_changed_export_fails_verification() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    for n in 0..250 {
        team.message(&team.member, team.general, &format!("message {n}")).await;
    }
    let expected = 250;
    for format in ["jsonl", "csv", "cloudevents"] {
        let (text, key) = export(&app, &team, &team.owner, &format!("format={format}&type=message.posted&actor={}", team.member.id)).await;
        let manifest = verify_export(text.as_bytes(), &key).unwrap_or_else(|error| panic!("{format}: {error}"));
        assert!(manifest.entries >= expected && manifest.withheld == 0, "{format}: {manifest:?}");
        assert_eq!(manifest.filter.get("type").map(String::as_str), Some("message.posted"));
        assert!((0..250).all(|n| text.contains(&format!("message {n}"))), "{format}");

        let changed = text.replacen("message 7", "message 8", 1);
        assert!(matches!(verify_export(changed.as_bytes(), &key), Err(Unverified::Content { .. })), "{format}");
        let without_a_line = text.split_once('\n').expect("lines").1;
        assert!(matches!(verify_export(without_a_line.as_bytes(), &key), Err(Unverified::Content { .. })), "{format}");
        let broken_off = &text[..text.len() / 2];
        assert!(matches!(verify_export(broken_off.as_bytes(), &key), Err(Unverified::NoManifest)), "{format}");
        let forged = text.replace(r#""withheld":0"#, r#""withheld":1"#).replace(r#"""withheld"":0"#, r#"""withheld"":1"#);
        assert!(matches!(verify_export(forged.as_bytes(), &key), Err(Unverified::Signature)), "{format}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_event_has_the_attributes_of_its_specification() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (text, _) = export(&app, &team, &team.owner, "format=cloudevents&type=workspace.created").await;
    let event = serde_json::from_str::<Value>(text.lines().next().expect("a line")).expect("JSON");
    assert_eq!(
        (&event["specversion"], &event["type"], &event["source"]),
        (&json!("1.0"), &json!("workspace.created"), &json!(team.path("")))
    );
    assert_eq!((&event["id"], &event["time"]), (&event["data"]["event_id"], &event["data"]["recorded_at"]));
    let is_name = |name: &String| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    assert!(event.as_object().expect("an object").keys().all(is_name), "{event}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_withholds_the_same_texts_as_the_audit_and_is_recorded_there() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let secret = team.channel(&team.member, "private", "secret", &[]).await;
    team.message(&team.member, secret, "hush").await;
    for format in ["jsonl", "csv", "cloudevents"] {
        let (text, key) = export(&app, &team, &team.owner, &format!("format={format}")).await;
        assert!(!text.contains("hush"), "{format}");
        assert!(verify_export(text.as_bytes(), &key).expect("an export").withheld >= 1);
    }
    team.member.get(&team.path("/audit/export")).await.expect_problem(403, "access.forbidden");
    team.stranger.get(&team.path("/audit/export")).await.expect_problem(404, "workspace.not_found");
    team.owner.get(&team.path("/audit/export?format=word")).await.expect_problem(400, "request.query_invalid");
    team.owner.get(&team.path("/audit/export?unknown=1")).await.expect_problem(400, "request.query_invalid");
    let noted = audit(&app, &team, &team.owner, "&type=audit.exported").await;
    assert_eq!(each(&noted, "command"), ["export audit"; 3]);
    assert_eq!(noted[2]["payload"]["audit.exported"]["format"], "jsonl");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_its_own_media_type_and_takes_neither_a_limit_nor_an_order() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    // An export has all entries, oldest first. A limit or an order is refused, because it would have no effect.
    for without_effect in ["limit=5", "order=newest"] {
        let path = team.path(&format!("/audit/export?{without_effect}"));
        team.owner.get(&path).await.expect_problem(400, "request.query_invalid");
    }
    for (format, media_type) in
        [("jsonl", "application/x-ndjson"), ("csv", "text/csv; charset=utf-8"), ("cloudevents", "application/x-ndjson")]
    {
        let answer = team.owner.get(&team.path(&format!("/audit/export?format={format}"))).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some(media_type)));
    }
}
