//! TLS to Redis, NATS and Postgres: with the certificate authority in a file it works, and without it the error says so.

use std::path::PathBuf;

use serde_json::Value;
use stores::redis::{Redis, RedisSettings};
use stores::tls::{NamedFile, TlsFiles};
use tests::tls::{CertificateFiles, Certificates, serve_postgres};
use tests::{SpareServer, TestApp, TestDatabase, eventually, program};

/// The rights in NATS that docs/OPERATIONS.md names, for the streams of tests.
const RIGHTS: &str = r#"["*.events.>", "*.wake", "*.live", "$JS.API.>", "$JS.ACK.>", "_INBOX.>"]"#;

/// Waits until a part of the operators' `/readyz` is in order, or says this.
async fn becomes(app: &TestApp, part: &str, text: &str) {
    let mut last = Value::Null;
    eventually(&format!("{part} says {text}"), async || {
        last = app.as_operator("/readyz").await.expect(200)[part].clone();
        last["state"].as_str().is_some_and(|state| state.contains(text))
    })
    .await;
}

fn redis_arguments(files: &CertificateFiles) -> Vec<String> {
    let (ca, certificate, key) = (files.path("ca.pem"), files.path("node.pem"), files.path("node.key"));
    let arguments = ["--port", "0", "--tls-port", "{port}", "--requirepass", "p@ss#1", "--tls-auth-clients", "yes"];
    // The rights that docs/OPERATIONS.md names.
    let user = ["--user", "ann", "on", ">p@ss#1", "~test:*", "+@all", "-@admin", "+bgsave", "+bgrewriteaof"];
    let files = ["--tls-ca-cert-file", &ca, "--tls-cert-file", &certificate, "--tls-key-file", &key];
    arguments.iter().chain(&user).chain(&files).map(|argument| (*argument).to_owned()).collect()
}

fn start_redis(files: &CertificateFiles, more: &[&str]) -> SpareServer {
    let arguments = redis_arguments(files);
    SpareServer::redis(&[&arguments.iter().map(String::as_str).collect::<Vec<_>>(), more].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_with_tls_needs_its_certificate_authority_and_may_ask_for_a_certificate() {
    let files = CertificateFiles::write();
    let redis = start_redis(&files, &[]);
    let url = format!("rediss://ann:p%40ss%231@localhost:{}", redis.port);
    let (ca, certificate, key) = (files.path("ca.pem"), files.path("node.pem"), files.path("node.key"));
    let address = ("BACKSCROLL_REDIS_URL", url.as_str());
    let client = [("BACKSCROLL_REDIS_CLIENT_CERTIFICATE_FILE", certificate.as_str()), ("BACKSCROLL_REDIS_CLIENT_KEY_FILE", key.as_str())];
    let app = TestApp::start_with(&[&[address, ("BACKSCROLL_REDIS_CA_FILE", ca.as_str())], &client[..]].concat()).await;
    becomes(&app, "redis", "answers").await;
    app.sign_up("ann").await;

    let unknown = TestApp::start_with(&[&[address], &client[..]].concat()).await;
    becomes(&unknown, "redis", "name the certificate authority of redis in redis_ca_file").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_cluster_may_have_tls_too() {
    let files = CertificateFiles::write();
    let redis = start_redis(&files, &["--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-announce-ip", "127.0.0.1"]);
    let named = |name: &str, setting| NamedFile { path: PathBuf::from(files.path(name)), setting };
    let settings = |is_cluster| RedisSettings {
        urls: format!("rediss://:p%40ss%231@127.0.0.1:{}", redis.port).into(),
        is_cluster,
        key_prefix: String::new(),
        tls: TlsFiles {
            authority: Some(named("ca.pem", "redis_ca_file")),
            client: Some((named("node.pem", "redis_client_certificate_file"), named("node.key", "redis_client_key_file"))),
        },
    };
    let node = Redis::open(&settings(false)).expect("the settings");
    eventually("the node answers", async || node.ping().await.is_ok()).await;
    node.ask::<()>(redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(0).arg(16_383)).await.expect("all slots");
    let cluster = Redis::open(&settings(true)).expect("the settings");
    eventually("the cluster stores a key", async || cluster.ask::<()>(redis::cmd("SET").arg("a").arg(1)).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_with_tls_needs_its_certificate_authority_and_may_ask_for_a_certificate() {
    let files = CertificateFiles::write();
    let (ca, certificate, key) = (files.path("ca.pem"), files.path("node.pem"), files.path("node.key"));
    let nats = SpareServer::nats(&format!(
        "jetstream: {{ store_dir: \"{{folder}}/js\" }}\n\
         tls: {{ cert_file: \"{certificate}\", key_file: \"{key}\", ca_file: \"{ca}\", verify: true }}\n\
         authorization: {{ users: [{{ user: \"ann\", password: \"p@ss#1\", permissions: {{ publish: {RIGHTS}, subscribe: {RIGHTS} }} }}] }}\n"
    ));
    let url = format!("tls://ann:p%40ss%231@localhost:{}", nats.port);
    let address = ("BACKSCROLL_NATS_URL", url.as_str());
    let client = [("BACKSCROLL_NATS_CLIENT_CERTIFICATE_FILE", certificate.as_str()), ("BACKSCROLL_NATS_CLIENT_KEY_FILE", key.as_str())];
    let app = TestApp::start_with(&[&[address, ("BACKSCROLL_NATS_CA_FILE", ca.as_str())], &client[..]].concat()).await;
    becomes(&app, "nats", "connected").await;
    app.sign_up("ann").await;
    eventually("the relay publishes", async || app.app().relay.position.load(std::sync::atomic::Ordering::Relaxed) > 0).await;

    let unknown = TestApp::start_with(&[&[address], &client[..]].concat()).await;
    becomes(&unknown, "nats", "name the certificate authority of nats in nats_ca_file").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_with_tls_is_verified_by_the_parameters_of_its_address() {
    let (certificates, strangers) = (Certificates::sign().expect("certificates"), CertificateFiles::write());
    let authority = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(authority.path(), &certificates.authority).expect("a file");
    let database = TestDatabase::create().await;
    let (login, rest) = database.url.rsplit_once('@').expect("a login");
    let (server, name) = rest.split_once('/').expect("a database");
    let port = serve_postgres(&certificates, server.to_owned()).await;
    let url = |authority: &str| format!("{login}@localhost:{port}/{name}?sslmode=verify-full&sslrootcert={authority}");
    let (right, wrong) = (url(authority.path().to_str().expect("a path")), url(&strangers.path("ca.pem")));
    let mut environment = TestApp::not_started(&[("BACKSCROLL_POSTGRES_URL", &right)]).await.environment.clone();
    let (code, text) = program::said(&program::output(&["projections"], &environment).await);
    assert_eq!(code, Some(0), "{text}");

    environment.insert("BACKSCROLL_POSTGRES_URL".into(), wrong);
    let (code, text) = program::said(&program::output(&["projections"], &environment).await);
    assert_eq!(code, Some(3), "{text}");
    let parts = [
        format!("postgres at localhost:{port}"),
        "invalid peer certificate".into(),
        "name the certificate authority of postgres in the parameter `sslrootcert`".into(),
    ];
    assert!(parts.iter().all(|part| text.contains(part.as_str())), "{text}");
}
