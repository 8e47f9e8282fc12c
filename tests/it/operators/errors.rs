//! What is printed when something that a setting names cannot be used: which setting, which address, the reason, and what
//! to do. Never a secret. docs/OPERATIONS.md has the same table for operators.

use std::collections::BTreeMap;
use std::net::TcpListener;

use futures::StreamExt;
use tests::place::WITH_ELASTICSEARCH;
use tests::servers::address;
use tests::{SpareServer, TestApp, TestDatabase, program};

use super::outages::Running;

/// A password that no output may contain.
const SECRET: &str = "hunter2";
/// A key that no database was started with.
const ANOTHER_KEY: &str = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=";
/// How many processes run at a time.
const AT_ONCE: usize = 4;

/// What the process does.
#[derive(Clone, Copy)]
enum Ends {
    /// It ends with this exit code.
    With(i32),
    /// It serves, and logs the text.
    Not,
}

/// A mistake of an operator.
struct Row {
    verb: String,
    changes: Vec<(&'static str, String)>,
    ends: Ends,
    says: Vec<String>,
}

fn row(verb: &str, changes: &[(&'static str, &str)], ends: Ends, says: &[&str]) -> Row {
    Row {
        verb: verb.to_owned(),
        changes: changes.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        ends,
        says: says.iter().map(|text| (*text).to_owned()).collect(),
    }
}

/// The host and the port of an address.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.rsplit_once('@').map_or(rest, |(_, host)| host).split('/').next().unwrap_or_default()
}

/// The address with another password.
fn with_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("a scheme");
    let (login, rest) = rest.rsplit_once('@').expect("a login");
    format!("{scheme}://{}:{SECRET}@{rest}", login.split(':').next().unwrap_or_default())
}

fn of_postgres(url: &str) -> Vec<Row> {
    let of = |url: &str, ends, says: &[&str]| row("projections", &[("BACKSCROLL_POSTGRES_URL", url)], ends, says);
    let host = format!("postgres at {}", host_of(url));
    let elsewhere = format!("{}/nowhere", url.rsplit_once('/').expect("a database").0);
    vec![
        of("postgres://ann:a#hunter2@h/chat", Ends::With(2), &["BACKSCROLL_POSTGRES_URL", "invalid port number", "`%23` for `#`"]),
        of("postgres://ann:1/hunter2@h/chat", Ends::With(2), &["BACKSCROLL_POSTGRES_URL", "behind the host", "hexadecimal"]),
        of(
            "postgres://ann:hunter2@127.0.0.1:9/chat",
            Ends::With(3),
            &["postgres at 127.0.0.1:9", "(postgres_url)", "Connection refused", "start postgres"],
        ),
        of(&with_password(url), Ends::With(3), &[&host, "(postgres_url)", "password authentication failed", "percent-encoded"]),
        of(&elsewhere, Ends::With(3), &[&host, "(postgres_url)", "\"nowhere\" does not exist", "CREATE DATABASE \"nowhere\""]),
        of(
            &format!("{url}?sslmode=verify-full&sslrootcert=/nowhere/ca.pem"),
            Ends::With(2),
            &["the file /nowhere/ca.pem", "(postgres_url)", "No such file", "correct the path"],
        ),
        of(&format!("{url}?sslmode=never"), Ends::With(2), &["(postgres_url)", "never", "docs/OPERATIONS.md"]),
    ]
}

fn of_redis() -> Vec<Row> {
    let url = address("BACKSCROLL_REDIS_URL");
    let of = |url: &str, says: &[&str]| row("serve", &[("BACKSCROLL_REDIS_URL", url)], Ends::Not, says);
    let at = format!("redis at {}", host_of(&url));
    let ca = |url| [("BACKSCROLL_REDIS_URL", url), ("BACKSCROLL_REDIS_CA_FILE", "/nowhere/ca.pem")];
    vec![
        of("redis://:hunter2@127.0.0.1:9", &["redis at 127.0.0.1:9", "(redis_url)", "Connection refused", "start redis"]),
        of(&format!("redis://:{SECRET}@{}", host_of(&url)), &[&at, "(redis_url)", "authentication failed", "percent-encoded"]),
        row(
            "serve",
            &ca("rediss://127.0.0.1:9"),
            Ends::With(2),
            &["/nowhere/ca.pem", "(redis_ca_file)", "No such file", "correct the path"],
        ),
        row("serve", &ca("redis://127.0.0.1:9"), Ends::With(2), &["redis at 127.0.0.1:9", "without TLS", "rediss://"]),
    ]
}

fn of_nats(without_jetstream: &SpareServer, without_room: &SpareServer) -> Vec<Row> {
    let url = address("BACKSCROLL_NATS_URL");
    let of = |url: &str, says: &[&str]| row("serve", &[("BACKSCROLL_NATS_URL", url)], Ends::Not, says);
    let local = |server: &SpareServer| format!("nats://127.0.0.1:{}", server.port);
    let missing = |setting| [(setting, "/nowhere/file")];
    vec![
        of("nats://ann:hunter2@127.0.0.1:9", &["nats at 127.0.0.1:9", "(nats_url)", "Connection refused", "start nats"]),
        of(
            &with_password(&url),
            &[&format!("nats at {}", host_of(&url)), "(nats_url)", "authorization violation", "correct the user and the password"],
        ),
        of(&local(without_jetstream), &["(nats_url)", "did not open the stream", "switch JetStream on"]),
        of(&local(without_room), &["(nats_url)", "insufficient storage", "1 GiB of room"]),
        row("serve", &missing("BACKSCROLL_NATS_CA_FILE"), Ends::With(2), &["/nowhere/file", "(nats_ca_file)", "No such file", "correct"]),
        row(
            "serve",
            &missing("BACKSCROLL_NATS_CREDENTIALS_FILE"),
            Ends::With(2),
            &["/nowhere/file", "(nats_credentials_file)", "No such file", "correct the path"],
        ),
    ]
}

fn of_search() -> Vec<Row> {
    let of = |more: &[(&'static str, &str)], ends, says: &[&str]| row("serve", &[&[WITH_ELASTICSEARCH], more].concat(), ends, says);
    vec![
        of(
            &[("BACKSCROLL_ELASTICSEARCH_URL", "http://ann:hunter2@127.0.0.1:9")],
            Ends::Not,
            &["elasticsearch at 127.0.0.1:9", "(elasticsearch_url)", "Connection refused", "start elasticsearch"],
        ),
        of(
            &[("BACKSCROLL_ELASTICSEARCH_URL", "https://127.0.0.1:9"), ("BACKSCROLL_ELASTICSEARCH_CA_FILE", "/nowhere/ca.pem")],
            Ends::With(2),
            &["/nowhere/ca.pem", "(elasticsearch_ca_file)", "No such file", "correct the path"],
        ),
    ]
}

fn of_the_object_store() -> Vec<Row> {
    const VERB: &str = "log verify-export s3://backscroll-nowhere/log-2025-01.manifest.json";
    let url = address("BACKSCROLL_OBJECT_STORE_URL");
    let (key, secret) = (address("BACKSCROLL_OBJECT_STORE_ACCESS_KEY"), address("BACKSCROLL_OBJECT_STORE_SECRET_KEY"));
    let of = |url: &str, secret: &str, ends, says: &[&str]| {
        let key = ("BACKSCROLL_OBJECT_STORE_ACCESS_KEY", key.as_str());
        row(VERB, &[("BACKSCROLL_OBJECT_STORE_URL", url), key, ("BACKSCROLL_OBJECT_STORE_SECRET_KEY", secret)], ends, says)
    };
    let at = format!("the object store at {}", host_of(&url));
    vec![
        of(&url, &secret, Ends::With(1), &["s3://backscroll-nowhere", "(object_store_url)", &at, "create the bucket backscroll-nowhere"]),
        of(&url, SECRET, Ends::With(2), &["s3://backscroll-nowhere", &at, "correct object_store_access_key"]),
        of("http://127.0.0.1:9", SECRET, Ends::With(3), &["(object_store_url)", "127.0.0.1:9", "start the object store"]),
        row(
            VERB,
            &[("BACKSCROLL_OBJECT_STORE_CA_FILE", "/nowhere/ca.pem")],
            Ends::With(2),
            &["/nowhere/ca.pem", "(object_store_ca_file)", "No such file", "correct the path"],
        ),
    ]
}

fn of_this_process(taken: &str, empty: &TestDatabase, url: &str) -> Vec<Row> {
    let import = "import slack /nowhere.zip --workspace 00000000-0000-7000-8000-000000000000";
    vec![
        row("serve", &[("BACKSCROLL_LISTEN", taken)], Ends::With(1), &["(listen)", taken, "in use", "choose another port"]),
        row("serve", &[("BACKSCROLL_OPERATORS_LISTEN", taken)], Ends::With(1), &["(operators_listen)", taken, "in use", "another port"]),
        row(
            "serve --config /nowhere.toml",
            &[],
            Ends::With(2),
            &["/nowhere.toml", "BACKSCROLL_CONFIG", "No such file", "correct the path"],
        ),
        row(
            "serve",
            &[("BACKSCROLL_MASTER_KEY", ANOTHER_KEY)],
            Ends::With(2),
            &["(master_key)", host_of(url), "another master key", "master_key_previous"],
        ),
        row("serve", &[("BACKSCROLL_POSTGRES_URL", &empty.url)], Ends::With(1), &["lacks the migrations", "run `backscroll migrate`"]),
        row(import, &[], Ends::With(2), &["/nowhere.zip", "No such file", "correct the path"]),
    ]
}

/// What is wrong with the output. `None` if it is as expected.
async fn wrong(row: Row, environment: BTreeMap<String, String>) -> Option<String> {
    let mut environment = environment;
    environment.extend(row.changes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let (ended, text) = match row.ends {
        Ends::With(_) => program::said(&program::output(&row.verb.split(' ').collect::<Vec<_>>(), &environment).await),
        Ends::Not => (None, Running::serve(&environment).says(&row.says).await),
    };
    let expected = match row.ends {
        Ends::With(code) => Some(code),
        Ends::Not => None,
    };
    let missing = row.says.iter().filter(|part| !text.contains(part.as_str())).collect::<Vec<_>>();
    let is_right = ended == expected && missing.is_empty() && !text.contains(SECRET);
    (!is_right)
        .then(|| format!("{} {:?}\n  missing {missing:?}, exit {ended:?} in place of {expected:?}:\n  {text}", row.verb, row.changes))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_is_named_with_its_setting_its_address_the_reason_and_what_to_do() {
    let (app, empty) = (TestApp::not_started(&[]).await, TestDatabase::empty().await);
    // The database gets its first key.
    let started = program::output(&["keys", "rotate"], &app.environment).await;
    assert_eq!(started.status.code(), Some(0), "{}", program::said(&started).1);
    let without_jetstream = SpareServer::nats("");
    let without_room = SpareServer::nats("jetstream: { store_dir: \"{folder}/js\", max_file_store: 10MB }");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken_address = taken.local_addr().expect("an address").to_string();

    let url = &app.database.url;
    let mut rows = of_postgres(url);
    rows.extend(of_redis());
    rows.extend(of_nats(&without_jetstream, &without_room));
    rows.extend(of_search());
    rows.extend(of_the_object_store());
    rows.extend(of_this_process(&taken_address, &empty, url));
    let wrong = futures::stream::iter(rows).map(|row| wrong(row, app.environment.clone())).buffer_unordered(AT_ONCE);
    let wrong = wrong.filter_map(std::future::ready).collect::<Vec<_>>().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
