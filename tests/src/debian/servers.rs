//! Postgres, NATS and Redis of Debian.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::process::{Process, log_of, tool};
use super::{deployed, folder_in, open_folder, replaced, until_it_answers, write_private};
use crate::place::MASTER_KEY;
use crate::servers::free_port;
use crate::tls::Certificates;

/// The passwords. That of Postgres has characters that must be percent-encoded in an address.
const POSTGRES_PASSWORD: &str = "p@ss/w:rd#1";
const POSTGRES_PASSWORD_ENCODED: &str = "p%40ss%2Fw%3Ard%231";
const ADMIN_PASSWORD: &str = "admin";
const NATS_PASSWORD: &str = "1nats-secret";
const REDIS_PASSWORD: &str = "redis-secret";

/// One of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DebianServer {
    /// Postgres.
    Postgres,
    /// NATS.
    Nats,
    /// Redis.
    Redis,
}

use DebianServer::{Nats, Postgres, Redis};

/// The running servers.
pub struct DebianServers {
    // Fields are dropped in this order: first the servers, then their folder.
    running: BTreeMap<DebianServer, Process>,
    ports: Ports,
    folder: TempDir,
}

#[derive(Clone, Copy)]
struct Ports {
    postgres: u16,
    nats: u16,
    redis: u16,
    redis_tls: u16,
}

impl DebianServers {
    /// Starts the servers, and creates the role and the database.
    ///
    /// # Panics
    /// Panics if a server does not start.
    pub async fn start() -> Self {
        let ports = Ports { postgres: free_port(), nats: free_port(), redis: free_port(), redis_tls: free_port() };
        let this = Self { running: BTreeMap::new(), ports, folder: open_folder() };
        let certificates = Certificates::sign().expect("certificates");
        fs::write(this.authority(), &certificates.authority).expect("a file");
        for server in [Postgres, Nats, Redis] {
            let folder = this.folder_of(server);
            fs::write(folder.join("fullchain.pem"), &certificates.certificate).expect("a file");
            write_private(&folder.join("privkey.pem"), &certificates.key);
        }
        this.configure_postgres();
        this.configure_nats();
        this.configure_redis();
        let mut this = this;
        for server in [Postgres, Nats, Redis] {
            this.launch(server);
        }
        for server in [Postgres, Nats, Redis] {
            this.until_answers(server).await;
        }
        this.create_role();
        this
    }

    /// Ends a server, as its operator does.
    pub fn stop(&mut self, server: DebianServer) {
        drop(self.running.remove(&server));
    }

    /// Starts a server again after [`DebianServers::stop`].
    ///
    /// # Panics
    /// Panics if the server does not start.
    pub async fn start_again(&mut self, server: DebianServer) {
        self.launch(server);
        self.until_answers(server).await;
    }

    /// The environment of `backscroll` with these servers.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<String, String> {
        let settings = [
            ("BACKSCROLL_POSTGRES_URL", self.postgres_url("backscroll")),
            ("BACKSCROLL_REDIS_URL", self.redis_tls_url()),
            ("BACKSCROLL_REDIS_CA_FILE", self.authority().display().to_string()),
            ("BACKSCROLL_NATS_URL", self.nats_url()),
            ("BACKSCROLL_NATS_CA_FILE", self.authority().display().to_string()),
            ("BACKSCROLL_MASTER_KEY", MASTER_KEY.to_owned()),
        ];
        settings.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// The address of a database, for the role of Backscroll.
    #[must_use]
    pub fn postgres_url(&self, database: &str) -> String {
        self.postgres_url_of("backscroll", POSTGRES_PASSWORD_ENCODED, database)
    }

    /// The address of a database, for the superuser.
    #[must_use]
    pub fn admin_url(&self, database: &str) -> String {
        self.postgres_url_of("postgres", ADMIN_PASSWORD, database)
    }

    fn postgres_url_of(&self, role: &str, password: &str, database: &str) -> String {
        let (port, authority) = (self.ports.postgres, self.authority());
        format!("postgres://{role}:{password}@localhost:{port}/{database}?sslmode=verify-full&sslrootcert={}", authority.display())
    }

    /// The address of Redis without TLS.
    #[must_use]
    pub fn redis_url(&self) -> String {
        format!("redis://:{REDIS_PASSWORD}@localhost:{}", self.ports.redis)
    }

    /// The address of Redis with TLS.
    #[must_use]
    pub fn redis_tls_url(&self) -> String {
        format!("rediss://:{REDIS_PASSWORD}@localhost:{}", self.ports.redis_tls)
    }

    /// The address of NATS, which has TLS.
    #[must_use]
    pub fn nats_url(&self) -> String {
        format!("tls://backscroll:{NATS_PASSWORD}@localhost:{}", self.ports.nats)
    }

    /// The file with the authority that signed the servers' certificates.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The folder of the servers. Tests may write to it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a program of Debian to its end, such as `pg_dump`.
    #[must_use]
    pub fn tool(&self, program: &str, arguments: &[&str]) -> Output {
        tool(&self.tools(), program, arguments, &[])
    }

    /// A connection of the superuser.
    ///
    /// # Panics
    /// Panics if Postgres does not answer.
    pub async fn admin(&self, database: &str) -> PgConnection {
        PgConnection::connect(&self.admin_url(database)).await.expect("Debian's Postgres")
    }

    /// The folder in which the programs of [`DebianServers::tool`] run.
    ///
    /// # Panics
    /// Panics if it cannot be created.
    #[must_use]
    pub fn tools(&self) -> PathBuf {
        folder_in(self.folder.path(), "tools")
    }

    fn folder_of(&self, server: DebianServer) -> PathBuf {
        folder_in(self.folder.path(), &format!("{server:?}").to_lowercase())
    }

    fn configure_postgres(&self) {
        let folder = self.folder_of(Postgres);
        fs::write(folder.join("pg_hba.conf"), "hostssl all all samehost scram-sha-256\n").expect("a file");
        write_private(&folder.join("password"), ADMIN_PASSWORD);
        let (data, password) = (folder.join("data").display().to_string(), folder.join("password").display().to_string());
        // Small segments of the log, and nothing is forced to the disk: the data end with the test.
        let arguments = ["--pgdata", &data, "--username", "postgres", "--pwfile", &password, "--wal-segsize", "4", "--no-sync"];
        let created = tool(&folder, "initdb", &[arguments.as_slice(), &["--encoding", "UTF8", "--locale", "C.UTF-8"]].concat(), &[]);
        assert!(created.status.success(), "initdb: {}", String::from_utf8_lossy(&created.stderr));
    }

    fn configure_nats(&self) {
        let folder = self.folder_of(Nats);
        let (path, address) = (folder.display().to_string(), format!("127.0.0.1:{}", self.ports.nats));
        let changes = [
            ("127.0.0.1:4222", address.as_str()),
            ("/var/lib/nats", &path),
            ("/etc/nats/tls", &path),
            ("\"CHANGE-THIS\"", &format!("{NATS_PASSWORD:?}")),
        ];
        write_private(&folder.join("nats.conf"), &replaced(&deployed("nats.conf"), &changes));
    }

    fn configure_redis(&self) {
        let folder = self.folder_of(Redis);
        let (path, tls_port, port) =
            (folder.display().to_string(), format!("tls-port {}", self.ports.redis_tls), format!("\nport {}\n", self.ports.redis));
        let changes = [
            ("\nport 0\n", port.as_str()),
            ("tls-port 6379", &tls_port),
            ("/etc/redis/tls", &path),
            ("CHANGE-THIS", REDIS_PASSWORD),
            ("bind 127.0.0.1 -::1", "bind 127.0.0.1"),
        ];
        let text = replaced(&deployed("redis.conf"), &changes);
        write_private(&folder.join("redis.conf"), &format!("dir {path}\n{text}"));
    }

    fn launch(&mut self, server: DebianServer) {
        let folder = self.folder_of(server);
        let at = |name: &str| folder.join(name).display().to_string();
        let process = match server {
            Postgres => {
                let settings = [
                    "listen_addresses=127.0.0.1".to_owned(),
                    format!("port={}", self.ports.postgres),
                    "unix_socket_directories=".to_owned(),
                    format!("hba_file={}", at("pg_hba.conf")),
                    "ssl=on".to_owned(),
                    format!("ssl_cert_file={}", at("fullchain.pem")),
                    format!("ssl_key_file={}", at("privkey.pem")),
                    "shared_buffers=32MB".to_owned(),
                    "fsync=off".to_owned(),
                ];
                let data = at("data");
                let settings = settings.iter().flat_map(|setting| ["-c", setting]);
                // INT ends its sessions.
                Process::start(&folder, "postgres", "INT", &["-D", &data].into_iter().chain(settings).collect::<Vec<_>>())
            }
            Nats => Process::start(&folder, "nats-server", "TERM", &["--config", &at("nats.conf")]),
            Redis => Process::start(&folder, "redis-server", "TERM", &[&at("redis.conf")]),
        };
        self.running.insert(server, process);
    }

    async fn until_answers(&self, server: DebianServer) {
        let log = log_of(&self.folder_of(server));
        until_it_answers(&format!("{server:?}"), &log, async || match server {
            Postgres => PgConnection::connect(&self.admin_url("postgres")).await.is_ok(),
            Nats => greets(self.ports.nats).await,
            Redis => match redis::Client::open(self.redis_url()).expect("an address").get_multiplexed_async_connection().await {
                Ok(mut redis) => redis::cmd("PING").query_async::<String>(&mut redis).await.is_ok(),
                Err(_) => false,
            },
        })
        .await;
    }

    fn create_role(&self) {
        let script = self.tools().join("postgres.sql");
        fs::write(&script, deployed("postgres.sql")).expect("a file");
        let (script, url) = (script.display().to_string(), self.admin_url("postgres"));
        let arguments = ["--no-psqlrc", "--file", &script, &url];
        let created = tool(&self.tools(), "psql", &arguments, &[("BACKSCROLL_PASSWORD", POSTGRES_PASSWORD)]);
        assert!(created.status.success(), "deploy/postgres.sql: {}", String::from_utf8_lossy(&created.stderr));
    }
}

/// Whether NATS sends its first line, which every client waits for.
async fn greets(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let mut greeting = [0; 4];
    stream.read_exact(&mut greeting).await.is_ok() && &greeting == b"INFO"
}
