//! `deploy/nginx/backscroll.conf`: its limits fit those of the server, and requests pass through it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use api::config::Settings;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::debian::deployed;
use tests::person::{PASSWORD, send};
use tests::servers::free_port;
use tests::{Nginx, Team, TestApp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// The value of a directive, such as `30` of `client_body_timeout 30s;`.
fn directive(text: &str, name: &str) -> u64 {
    let line =
        text.lines().map(str::trim).filter(|line| !line.starts_with('#')).find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = line.and_then(|line| line.split(';').next()).unwrap_or_else(|| panic!("no {name}"));
    value.trim_end_matches(['s', 'm']).parse().unwrap_or_else(|_| panic!("{name} {value}"))
}

#[test]
fn the_limits_of_nginx_fit_those_of_the_server() {
    let text = deployed("nginx/backscroll.conf");
    let needed = [("POSTGRES_URL", "postgres://x"), ("REDIS_URL", "redis://x"), ("NATS_URL", "nats://x")];
    let needed = needed.iter().chain(&[("MASTER_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]);
    let environment = needed.map(|(name, value)| (format!("BACKSCROLL_{name}"), (*value).to_owned())).collect::<BTreeMap<_, _>>();
    let settings = Settings::from_sources(&environment, None).expect("the defaults");
    let of = |name: &str| directive(&text, name);
    assert_eq!(of("client_header_timeout"), settings.request_head_timeout.as_secs());
    assert_eq!(of("client_body_timeout"), settings.request_body_timeout.as_secs());
    assert!(of("proxy_read_timeout") > settings.answer_max().as_secs(), "nginx waits for the longest answer");
    let (upstream, server) = text.split_once("\nserver {").expect("two parts");
    assert!(directive(upstream, "keepalive_timeout") < settings.idle_timeout.as_secs(), "nginx closes an idle connection first");
    assert_eq!(directive(server, "keepalive_timeout"), settings.idle_timeout.as_secs());
    assert_eq!(of("client_max_body_size") * 1024 * 1024, settings.body_bytes_max as u64);
    assert_eq!(of("limit_conn backscroll_clients"), settings.connections_max as u64 / 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_reach_a_node_over_tls_with_their_address_and_the_host_that_they_asked_for() {
    let app = TestApp::start_with(&[("BACKSCROLL_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let team = Team::found(&app).await;
    // The second node does not run: nginx asks the first one.
    let (node, away) = (app.url.trim_start_matches("http://"), format!("127.0.0.1:{}", free_port()));
    let nginx = Nginx::start([node, &away]).await;
    let (is_valid, said) = nginx.check();
    assert!(is_valid, "{said}");
    let client = nginx.client();

    let plain = client.get(format!("{}/v1/users/me", nginx.plain_url)).send().await.expect("an answer");
    assert_eq!(plain.status(), StatusCode::PERMANENT_REDIRECT);

    for n in 0..8 {
        let posted = client.post(format!("{}{}", nginx.url, team.general("/messages"))).bearer_auth(&team.owner.token);
        send(posted.json(&json!({"content": format!("message {n}")}))).await.expect(201);
    }
    let answer = send(client.get(format!("{}/healthz", nginx.url))).await;
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"));

    // The server sees the host of the request, and none that the client claims in another header.
    let made = team.owner.post("/v1/workspaces", json!({"name": "Acme", "domain": "acme.example.org"})).await;
    let position = made.position();
    made.expect(201);
    let current = |header: &'static str| {
        let request = client.get(format!("{}/v1/workspaces/current", nginx.url)).bearer_auth(&team.owner.token);
        send(request.header("Backscroll-Min-Position", position).header(header, "acme.example.org"))
    };
    assert_eq!(current("Host").await.expect(200)["name"], "Acme");
    assert_eq!(current("X-Forwarded-Host").await.status, StatusCode::NOT_FOUND);

    // A page of this server is known by the host and the port of its address.
    let port = nginx.url.rsplit(':').next().expect("a port");
    for (origin, status) in
        [(nginx.url.clone(), 201), ("https://localhost".to_owned(), 403), (format!("https://evil.example.org:{port}"), 403)]
    {
        let sign_in = client.post(format!("{}/v1/sessions", nginx.url)).header("Origin", &origin);
        let answer = send(sign_in.json(&json!({"login": team.owner.email, "password": PASSWORD, "cookie": true}))).await;
        assert_eq!(answer.status.as_u16(), status, "{origin}");
    }

    let large = json!({"content": "x".repeat(1_500_000)});
    let refused = client.post(format!("{}{}", nginx.url, team.general("/messages"))).bearer_auth(&team.owner.token);
    send(refused.json(&large)).await.expect_problem(413, "request.too_large");
}

/// A node that reads a request and breaks the connection off. It counts the requests.
async fn breaking_node(listener: TcpListener, seen: Arc<AtomicUsize>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).await;
        seen.fetch_add(1, Ordering::Relaxed);
    }
}

/// A node that answers every request with 200.
async fn answering_node(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await;
    }
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    (listener, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_request_that_may_be_repeated_goes_to_the_other_node() {
    let ((breaking, first), (answering, second)) = (listener().await, listener().await);
    let seen = Arc::<AtomicUsize>::default();
    tokio::spawn(breaking_node(breaking, seen.clone()));
    tokio::spawn(answering_node(answering));
    // The first node stays in use although it breaks off every request.
    let (weighted, other) = (format!("server {first} max_fails=0 weight=1000;"), format!("server {second} max_fails=0;"));
    let changes = [
        (format!("server {first} max_fails=2 fail_timeout=2s;"), weighted),
        (format!("server {second} max_fails=2 fail_timeout=2s;"), other),
    ];
    let changes = changes.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect::<Vec<_>>();
    let nginx = Nginx::start_with([&first, &second], &changes).await;
    let client = nginx.client();
    let ask = async |method: Method, key: Option<&str>| {
        let request = client.request(method, format!("{}/x", nginx.url));
        send(key.into_iter().fold(request, |request, key| request.header("Idempotency-Key", key)).body("{}")).await
    };
    assert_eq!(ask(Method::GET, None).await.status, 200);
    assert_eq!(ask(Method::PUT, None).await.status, 200);
    assert_eq!(ask(Method::POST, Some("key")).await.status, 200);
    assert_eq!(ask(Method::PATCH, Some("key")).await.status, 200);
    let before = seen.load(Ordering::Relaxed);
    assert_eq!(before, 4, "each request reached the first node first");
    for method in [Method::POST, Method::PATCH] {
        let answer = ask(method, None).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (502, Some("application/problem+json")));
        assert_eq!(answer.body["code"], "service.unavailable");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_too_many_requests_and_one_that_finds_no_node_get_problems() {
    let (listener, node) = listener().await;
    let away = format!("127.0.0.1:{}", free_port());
    let nginx = Nginx::start_with([&node, &away], &[("limit_conn backscroll_clients 200;", "limit_conn backscroll_clients 2;")]).await;
    let client = nginx.client();
    // The node accepts connections, and never answers.
    let waiting = (0..2).map(|_| tokio::spawn(client.get(format!("{}/x", nginx.url)).send())).collect::<Vec<_>>();
    let _held = [listener.accept().await, listener.accept().await];
    let refused = send(client.get(format!("{}/x", nginx.url))).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, Some("1")));
    assert_eq!(problem(&refused.body), ("request.too_many_connections".to_owned(), 429));
    waiting.iter().for_each(tokio::task::JoinHandle::abort);

    let nginx = Nginx::start([&away, &format!("127.0.0.1:{}", free_port())]).await;
    for key in [None, Some("key")] {
        let request = nginx.client().post(format!("{}/x", nginx.url));
        let answer = send(key.into_iter().fold(request, |request, key| request.header("Idempotency-Key", key))).await;
        assert_eq!((problem(&answer.body), answer.status.as_u16()), (("service.unavailable".to_owned(), 502), 502));
    }
}

fn problem(body: &Value) -> (String, u64) {
    (body["code"].as_str().unwrap_or_default().to_owned(), body["status"].as_u64().unwrap_or_default())
}
