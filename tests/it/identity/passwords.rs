//! Passwords that the server refuses. No cache stores an answer that contains a token.

use serde_json::{Value, json};
use tests::person::PASSWORD;
use tests::{Team, TestApp};

fn registration(password: &str) -> Value {
    json!({"email": "quetzalina@example.org", "username": "quetzalina", "display_name": "Quetzalina", "password": password})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_common_password_is_refused() {
    let app = TestApp::start().await;
    let refused = [
        ("password", "password.known"),
        ("Password1", "password.known"),
        ("12345678", "password.known"),
        ("quetzalina", "password.known"),
        ("quetzalina@example.org", "password.known"),
        ("        ", "password.blank"),
        ("\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}", "password.blank"),
        ("1b2x9_q", "input.invalid"),
    ];
    for (password, code) in refused {
        let problem = app.post("/v1/users", &registration(password)).await.expect_problem(422, code);
        assert_eq!(problem["field"], "password", "{password}");
    }
    app.post("/v1/users", &registration("violet anchor pancake")).await.expect(201);

    let ann = app.sign_up("ann").await;
    for (password, code) in
        refused.into_iter().filter(|(password, _)| !password.contains("quetzalina")).chain([(ann.username.as_str(), "password.known")])
    {
        let change = json!({"current_password": PASSWORD, "new_password": password});
        let problem = ann.put("/v1/users/me/password", change).await.expect_problem(422, code);
        assert_eq!(problem["field"], "new_password", "{password}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cache_stores_an_answer_with_a_token() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let signed_in = app.post("/v1/sessions", &json!({"login": team.owner.email, "password": PASSWORD})).await;
    let invited = team.owner.post(&team.path("/invitations"), json!({"email": "new@example.org"})).await;
    for answer in [signed_in, invited] {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
        assert!(answer.expect(201)["token"].is_string());
    }
}
