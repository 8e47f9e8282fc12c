//! Sessions of browsers: the cookie, and the guard against pages of other origins.

use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::answer::Answer;
use tests::person::{PASSWORD, send};
use tests::{Person, TestApp};
use uuid::Uuid;

const PAGE: &str = "https://app.example.org";
const OWN_PAGE: (&str, &str) = ("Sec-Fetch-Site", "same-origin");

/// The headers that pages of other origins, and programs that are no browsers, send with a command.
const FOREIGN: [&[(&str, &str)]; 8] = [
    &[],
    &[("Origin", "https://evil.example.org")],
    &[("Origin", "null")],
    &[("Origin", "https://evil.example.org"), ("Sec-Fetch-Site", "cross-site")],
    &[("Origin", "http://127.0.0.1:1"), ("Sec-Fetch-Site", "same-site")],
    &[("Sec-Fetch-Site", "none")],
    &[("Sec-Fetch-Site", "cross-site")],
    &[("Referer", "https://evil.example.org/")],
];

fn with(request: RequestBuilder, headers: &[(&str, &str)]) -> RequestBuilder {
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

/// A sign-in as a page sends it.
async fn sign_in(app: &TestApp, person: &Person, headers: &[(&str, &str)]) -> Answer {
    let body = json!({"login": person.email, "password": PASSWORD, "cookie": true});
    send(with(reqwest::Client::new().post(format!("{}/v1/sessions", app.url)), headers).json(&body)).await
}

/// The name and the value of the cookie in an answer, and its attributes.
fn cookie(answer: &Answer) -> (String, Vec<String>) {
    let text = answer.header(SET_COOKIE.as_str()).expect("a cookie");
    let mut parts = text.split("; ").map(str::to_owned);
    let pair = parts.next().expect("a name and a value");
    let mut attributes = parts.collect::<Vec<_>>();
    attributes.sort();
    (pair, attributes)
}

/// A request with a cookie.
fn request(app: &TestApp, method: Method, path: &str, cookie: &str, headers: &[(&str, &str)]) -> RequestBuilder {
    with(reqwest::Client::new().request(method, format!("{}{path}", app.url)).header(COOKIE, cookie), headers)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_signs_in_with_a_cookie_uses_it_and_signs_out() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let started = sign_in(&app, &ann, &[OWN_PAGE]).await;
    let (pair, attributes) = cookie(&started);
    assert_eq!(attributes, ["HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=Strict"]);
    let body = started.expect(201);
    assert_eq!((&body["token"], body.to_string().contains("\"bs_")), (&Value::Null, false), "no script reads the token");
    assert!(pair.starts_with("backscroll_session=bs_"), "{pair}");

    // Other cookies of the host are sent too.
    let beside = format!("theme=dark; {pair}; x=bs_y");
    send(request(&app, Method::GET, "/v1/users/me", &beside, &[])).await.expect(200);
    let in_latin_1 = [&b"name=J\xf6rg; "[..], pair.as_bytes()].concat();
    let in_latin_1 = reqwest::Client::new().get(format!("{}/v1/users/me", app.url)).header(COOKIE, in_latin_1);
    send(in_latin_1).await.expect(200);
    let own_origin = app.url.clone();
    for headers in [[OWN_PAGE], [("Origin", own_origin.as_str())]] {
        let status = request(&app, Method::PUT, "/v1/users/me/custom-status", &pair, &headers);
        send(status.json(&json!({"text": "here"}))).await.expect(200);
    }
    let sessions = send(request(&app, Method::GET, "/v1/sessions", &pair, &[])).await.expect(200);
    let current = sessions["items"].as_array().expect("sessions").iter().find(|session| session["current"] == true).cloned();
    assert_eq!(current.expect("the session of the cookie")["session_id"], body["session_id"]);

    let ended = send(request(&app, Method::DELETE, "/v1/sessions/current", &pair, &[OWN_PAGE])).await;
    assert_eq!(ended.header(SET_COOKIE.as_str()), Some("backscroll_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"));
    ended.expect(204);
    send(request(&app, Method::GET, "/v1/users/me", &pair, &[])).await.expect_problem(401, "auth.token_invalid");
    ann.get("/v1/users/me").await.expect(200);
    let by_token = ann.delete("/v1/sessions/current").await;
    assert_eq!(by_token.header(SET_COOKIE.as_str()), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_forgets_the_cookie_if_its_session_is_ended_by_its_identifier() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let started = sign_in(&app, &ann, &[OWN_PAGE]).await;
    let (pair, _) = cookie(&started);
    let own = started.expect(201)["session_id"].as_str().expect("a session").to_owned();
    let other = sign_in(&app, &ann, &[OWN_PAGE]).await.expect(201)["session_id"].as_str().expect("a session").to_owned();
    for (session_id, forgets) in [(other, false), (own, true)] {
        let path = format!("/v1/sessions/{session_id}");
        let ended = send(request(&app, Method::DELETE, &path, &pair, &[OWN_PAGE])).await;
        assert_eq!(ended.header(SET_COOKIE.as_str()).is_some_and(|text| text.ends_with("Max-Age=0")), forgets);
        ended.expect(204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_with_the_cookie_is_refused_unless_it_comes_from_a_page_of_the_server() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let (pair, _) = cookie(&sign_in(&app, &ann, &[OWN_PAGE]).await);
    for headers in FOREIGN {
        sign_in(&app, &ann, headers).await.expect_problem(403, "request.origin_refused");
        let body = json!({"text": "taken over"});
        let command = request(&app, Method::PUT, "/v1/users/me/custom-status", &pair, headers).json(&body);
        send(command).await.expect_problem(403, "request.origin_refused");
        send(request(&app, Method::DELETE, "/v1/sessions/current", &pair, headers)).await.expect_problem(403, "request.origin_refused");
        // A query changes nothing, and no page of another origin can read its answer.
        let read = send(request(&app, Method::GET, "/v1/users/me", &pair, headers)).await;
        assert_eq!(read.header("access-control-allow-origin"), None);
        assert!(!read.expect(200).to_string().contains("taken over"));
        // The browser does not send this header by itself: a page that sends it knows the token.
        let by_token = with(ann.request(Method::PUT, "/v1/users/me/custom-status"), headers).header(COOKIE, &pair);
        send(by_token.json(&json!({"text": "by the token"}))).await.expect(200);
    }
}

/// A path with its variables filled in.
fn filled(path: &str) -> String {
    let part = |part: &str| match part.strip_prefix('{') {
        Some(name) if name.ends_with("_id}") => Uuid::now_v7().to_string(),
        Some(_) => "1".to_owned(),
        None => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_interface_has_the_guard() {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let (pair, _) = cookie(&sign_in(&app, &ann, &[OWN_PAGE]).await);
    let document = app.get("/openapi.json").await.expect(200);
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            if method == "get" || operation["security"].is_array() {
                continue;
            }
            let method = method.to_uppercase().parse::<Method>().expect("a method");
            let command = request(&app, method, &filled(path), &pair, &[("Origin", "https://evil.example.org")]).json(&json!({}));
            send(command).await.expect_problem(403, "request.origin_refused");
            tried += 1;
        }
    }
    assert!(tried > 60, "{tried} commands were tried");
    send(request(&app, Method::GET, "/v1/users/me", &pair, &[])).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_an_allowed_origin_uses_the_cookie_and_others_do_not() {
    let app = TestApp::start_with(&[("BACKSCROLL_ALLOWED_ORIGINS", PAGE)]).await;
    let ann = app.sign_up("ann").await;
    let page = [("Origin", PAGE), ("Sec-Fetch-Site", "same-site")];
    let started = sign_in(&app, &ann, &page).await;
    assert_eq!(started.header("access-control-allow-credentials"), Some("true"));
    let (pair, _) = cookie(&started);
    let status =
        |headers: &[(&str, &str)]| request(&app, Method::PUT, "/v1/users/me/custom-status", &pair, headers).json(&json!({"text": "here"}));
    let changed = send(status(&page)).await;
    assert_eq!(changed.header("access-control-allow-origin"), Some(PAGE));
    changed.expect(200);
    for headers in FOREIGN {
        let refused = send(status(headers)).await;
        assert_eq!(refused.header("access-control-allow-origin"), None);
        refused.expect_problem(403, "request.origin_refused");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_tls_the_cookie_is_for_this_host_alone_and_over_tls() {
    let app = TestApp::start_with(&[("BACKSCROLL_PUBLIC_URL", "https://chat.example.org")]).await;
    let ann = app.sign_up("ann").await;
    let own = [("Origin", "https://chat.example.org")];
    let (pair, attributes) = cookie(&sign_in(&app, &ann, &own).await);
    assert_eq!(attributes, ["HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=Strict", "Secure"]);
    let token = pair.strip_prefix("__Host-backscroll_session=").expect("a cookie of this host");
    let status =
        |cookie: &str, headers: &[(&str, &str)]| request(&app, Method::PUT, "/v1/users/me/custom-status", cookie, headers).json(&json!({}));
    send(status(&pair, &own)).await.expect(200);
    // A page of another host of the site can set a cookie without the prefix, and the server's own address is no origin.
    send(status(&format!("backscroll_session={token}"), &own)).await.expect_problem(401, "auth.token_missing");
    send(status(&pair, &[("Origin", app.url.as_str())])).await.expect_problem(403, "request.origin_refused");
}
