//! The other files of `deploy/`, on Debian's servers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::config::Settings;
use sqlx::{Connection, PgConnection};
use tests::DebianServers;
use tests::debian::deployed;
use tests::servers::checkout;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::node::{migrated, run};
use super::units::is_setting;

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn the_page_of_the_folder_names_every_file() {
    let page = deployed("README.md");
    for path in files_below(&checkout().join("deploy")) {
        let name = path.strip_prefix(checkout()).expect("a path below the checkout").display().to_string();
        let folder = name.rsplit_once('/').map(|(folder, _)| format!("`{folder}/`"));
        let is_named = page.contains(&format!("`{name}`")) || folder.is_some_and(|folder| page.contains(&folder));
        assert!(is_named || name == "deploy/README.md", "deploy/README.md does not name {name}");
    }
}

#[test]
fn every_line_of_the_settings_file_is_a_setting_with_a_valid_value() {
    let text = deployed("backscroll.toml");
    // A default or an example is a line after `# ` that would be a line of the file.
    let line = |line: &str| {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let name = bare.split(" = ").next().unwrap_or_default();
        let is_value = bare.contains(" = ") && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        if is_value { bare.to_owned() } else { line.to_owned() }
    };
    let whole = text.lines().map(line).collect::<Vec<_>>().join("\n");
    assert!(whole.lines().filter(|line| line.contains(" = ") && !line.starts_with('#')).count() > 15, "{whole}");
    let secrets = [("POSTGRES_URL", "postgres://x"), ("REDIS_URL", "redis://x"), ("NATS_URL", "nats://x")];
    let secrets = secrets.iter().chain(&[("MASTER_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]);
    let secrets = secrets.map(|(name, value)| (format!("BACKSCROLL_{name}"), (*value).to_owned())).collect::<BTreeMap<_, _>>();
    for text in [text.as_str(), &whole] {
        Settings::from_sources(&secrets, Some((Path::new("deploy/backscroll.toml"), text))).expect("valid settings");
    }
}

#[test]
fn every_variable_of_the_files_for_the_environment_is_a_setting() {
    let instances = files_below(&checkout().join("deploy/systemd/instances"));
    for path in instances.into_iter().chain([checkout().join("deploy/backscroll.env")]) {
        let text = fs::read_to_string(&path).expect("a file");
        for (name, _) in text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('=')) {
            let is_known = ["SERVE_ARGUMENTS", "BACKSCROLL_CONFIG"].contains(&name) || is_setting(name.trim_end_matches("_FILE"));
            assert!(is_known, "{}: {name}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_has_no_privileges_and_no_other_role_may_connect() {
    let servers = DebianServers::start().await;
    let again = servers.tool("psql", &["--no-psqlrc", "--file", "postgres.sql", &servers.admin_url("postgres")]);
    assert_eq!(again.status.code(), Some(3), "without a password the script stops");
    assert!(String::from_utf8_lossy(&again.stderr).contains("BACKSCROLL_PASSWORD is not set"));
    migrated(&servers).await;
    let mut admin = servers.admin("backscroll").await;
    let rights =
        "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles WHERE rolname = 'backscroll'";
    assert!(!sqlx::query_scalar::<_, bool>(rights).fetch_one(&mut admin).await.expect("the role"));
    sqlx::query("CREATE ROLE stranger LOGIN PASSWORD 'stranger'").execute(&mut admin).await.expect("a role");
    let url = servers.admin_url("backscroll").replace("postgres:admin@", "stranger:stranger@");
    let refused = PgConnection::connect(&url).await.expect_err("no right to connect").to_string();
    assert!(refused.contains("permission denied for database"), "{refused}");

    // The connection has TLS.
    let mut own = PgConnection::connect(&servers.postgres_url("backscroll")).await.expect("a connection");
    let ssl = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert!(sqlx::query_scalar::<_, bool>(ssl).fetch_one(&mut own).await.expect("a state"));
    run("projections", &servers.environment(), 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_have_the_versions_of_debian() {
    let servers = DebianServers::start().await;
    let said = |program: &str, argument: &str| {
        let ended = servers.tool(program, &[argument]);
        String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned()
    };
    // Debian 12 has 15, 2.9, 7.0 and 1.22. A later Debian has later ones.
    for (program, argument) in [("postgres", "--version"), ("nats-server", "--version"), ("redis-server", "--version"), ("nginx", "-v")] {
        println!("{}", said(program, argument).trim());
    }
    if fs::read_to_string("/etc/os-release").is_ok_and(|release| release.contains("VERSION_ID=\"12\"")) {
        assert!(said("postgres", "--version").contains(" 15."));
        assert!(said("nats-server", "--version").contains("v2.9."));
        assert!(said("redis-server", "--version").contains("v=7.0."));
        assert!(said("nginx", "-v").contains("/1.22."));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_has_a_password_and_tls() {
    let servers = DebianServers::start().await;
    let url = servers.redis_tls_url();
    let (password, address) = url.trim_start_matches("rediss://:").split_once('@').expect("a password");
    let mut roots = RootCertStore::empty();
    let authority = fs::read(servers.authority()).expect("a file");
    roots.add(CertificateDer::from_pem_slice(&authority).expect("a certificate")).expect("an authority");
    let settings = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions().expect("TLS");
    let connector = TlsConnector::from(Arc::new(settings.with_root_certificates(roots).with_no_client_auth()));
    let stream = TcpStream::connect(address).await.expect("Redis");
    let mut stream = connector.connect(ServerName::try_from("localhost").expect("a name"), stream).await.expect("TLS");
    for (question, expected) in [("PING", "-NOAUTH"), (&format!("AUTH {password}"), "+OK"), ("PING", "+PONG")] {
        stream.write_all(format!("{question}\r\n").as_bytes()).await.expect("a question");
        let mut answer = [0; 256];
        let length = stream.read(&mut answer).await.expect("an answer");
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        assert!(answer.starts_with(expected), "{question}: {answer}");
    }
}
