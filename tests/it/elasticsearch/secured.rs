//! Elasticsearch with TLS and a login, as operators run it.

use std::path::Path;

use serde_json::{Value, json};
use tests::place::WITH_ELASTICSEARCH;
use tests::secured::{PASSWORD, USER};
use tests::{SecuredElasticsearch, Team, TestApp, eventually};

use super::LIMIT;

/// A server that uses this Elasticsearch, with this authority and this login.
async fn server(secured: &SecuredElasticsearch, authority: &Path, login: &[(&str, &str)]) -> TestApp {
    let authority = authority.to_str().expect("a path");
    let at = [("BACKSCROLL_ELASTICSEARCH_URL", secured.url.as_str()), ("BACKSCROLL_ELASTICSEARCH_CA_FILE", authority)];
    TestApp::start_with(&[&[WITH_ELASTICSEARCH], &at[..], login].concat()).await
}

/// Posts a message and searches for it. Returns the backend that answered.
async fn searched(app: &TestApp, wait: bool) -> Value {
    let team = Team::found(app).await;
    team.message(&team.owner, team.general, "hello there").await;
    let head = app.app().commands.store().catch_up().await.expect("the head");
    if wait {
        app.app().progress.wait_for(projections::SEARCH, head, LIMIT).await.expect("the search projection catches up");
    }
    let found = team.owner.get_at(head, &team.path("/search/messages?q=hello")).await.expect(200);
    assert_eq!(found["total"], json!(1), "{found}");
    found["backend"].clone()
}

/// Elasticsearch's part of `/readyz`, as soon as it contains this text, and the overall status.
async fn said(app: &TestApp, what: &str) -> (Value, Value) {
    let mut health = Value::Null;
    eventually("the health has this text", async || {
        health = app.as_operator("/readyz").await.expect(200);
        health["elasticsearch"]["state"].as_str().is_some_and(|state| state.contains(what))
    })
    .await;
    (health["elasticsearch"]["ok"].clone(), health["status"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_tls_a_password_or_an_api_key_works_and_a_wrong_one_is_reported_while_postgres_answers() {
    let secured = SecuredElasticsearch::start().await;
    let (key, authority) = (secured.api_key().await, secured.authority());
    let user = ("BACKSCROLL_ELASTICSEARCH_USER", USER);
    let right = ("BACKSCROLL_ELASTICSEARCH_PASSWORD", PASSWORD);
    for login in [vec![user, right], vec![("BACKSCROLL_ELASTICSEARCH_API_KEY", key.as_str())]] {
        let app = server(&secured, &authority, &login).await;
        assert_eq!(searched(&app, true).await, "elasticsearch", "{login:?}");
        assert_eq!(said(&app, "version 8").await, (json!(true), json!("ready")));
    }
    let wrong_login = vec![user, ("BACKSCROLL_ELASTICSEARCH_PASSWORD", "wrong")];
    let another = secured.another_authority();
    for (authority, login, what) in [(&authority, wrong_login, "elasticsearch_password"), (&another, vec![user, right], "certificate")] {
        let app = server(&secured, authority, &login).await;
        assert_eq!(searched(&app, false).await, "postgres");
        assert_eq!(said(&app, what).await, (json!(false), json!("degraded")));
    }
}
