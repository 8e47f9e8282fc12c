//! Postgres, NATS, Redis and, where a plan wants it, Elasticsearch of the campaign: its own data, its own ports. `scripts/services.sh` finds, starts and kills them; no server that it
//! did not start is ever touched.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::process::Command;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// The log and the read models.
    Postgres,
    /// The transport.
    Nats,
    /// Sessions, limits and the cache.
    Redis,
    /// What answers searches, where the plan breaks it.
    Elasticsearch,
}

impl Server {
    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Nats => "nats",
            Self::Redis => "redis",
            Self::Elasticsearch => "elasticsearch",
        }
    }
}

/// The servers of this campaign.
#[derive(Debug)]
pub struct Servers {
    run: PathBuf,
    addresses: HashMap<String, String>,
}

/// The root of the repository.
#[must_use]
pub fn checkout() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

impl Servers {
    /// Those that were started in `run`, or are to be.
    #[must_use]
    pub fn at(run: PathBuf) -> Self {
        Self { run, addresses: HashMap::new() }
    }

    /// Starts them, fresh, with what they write in `run`; Elasticsearch only where it is needed.
    ///
    /// # Errors
    /// They do not start.
    pub async fn start(run: PathBuf, elasticsearch: bool) -> Result<Self> {
        std::fs::create_dir_all(&run)?;
        let mut servers = Self::at(run);
        servers.script(&["destroy"]).await?;
        servers.script(&["start"]).await?;
        if elasticsearch {
            servers.script(&["start", Server::Elasticsearch.name()]).await?;
        }
        servers.addresses = read_addresses(&servers.run.join("services.env"))?;
        Ok(servers)
    }

    /// Starts one that was killed, where it was.
    ///
    /// # Errors
    /// It does not start.
    pub async fn restart(&self, server: Server) -> Result<()> {
        self.script(&["start", server.name()]).await
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// It does not end.
    pub async fn crash(&self, server: Server) -> Result<()> {
        self.script(&["crash", server.name()]).await
    }

    /// `kill -9`, and its data are deleted.
    ///
    /// # Errors
    /// It does not end.
    pub async fn wipe(&self, server: Server) -> Result<()> {
        self.script(&["wipe", server.name()]).await
    }

    /// It stands still, and keeps its connections.
    ///
    /// # Errors
    /// It cannot be stopped.
    pub async fn freeze(&self, server: Server) -> Result<()> {
        self.script(&["freeze", server.name()]).await
    }

    /// It goes on.
    ///
    /// # Errors
    /// It cannot be woken.
    pub async fn thaw(&self, server: Server) -> Result<()> {
        self.script(&["thaw", server.name()]).await
    }

    /// Stops all, and deletes their data.
    ///
    /// # Errors
    /// They do not stop.
    pub async fn destroy(&self) -> Result<()> {
        self.script(&["destroy"]).await
    }

    /// Stops all; what they hold stays, to be looked at.
    ///
    /// # Errors
    /// They do not stop.
    pub async fn stop(&self) -> Result<()> {
        self.script(&["stop"]).await
    }

    /// The address of one: `BACKSCROLL_POSTGRES_URL` and so on.
    ///
    /// # Errors
    /// It was not written down.
    pub fn address(&self, name: &str) -> Result<&str> {
        self.addresses.get(name).map(String::as_str).with_context(|| format!("{name} was not written down"))
    }

    /// A few connections of the harness, past every proxy.
    ///
    /// # Errors
    /// The address is none.
    pub fn pool(&self, name: &str) -> Result<PgPool> {
        let options = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(30));
        Ok(options.connect_lazy(self.address(name)?)?)
    }

    async fn script(&self, arguments: &[&str]) -> Result<()> {
        let output = Command::from(script_command(&self.run, arguments)).output().await?;
        if !output.status.success() {
            bail!("services.sh {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }
}

fn script_command(run: &Path, arguments: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(checkout().join("scripts/services.sh"));
    command.args(arguments).env("BACKSCROLL_RUN", run).stdin(Stdio::null()).stdout(Stdio::null());
    // An address in the environment would mean: use that server, which is not ours.
    for server in ["POSTGRES", "NATS", "REDIS", "ELASTICSEARCH"] {
        command.env_remove(format!("BACKSCROLL_{server}_URL")).env_remove(format!("BACKSCROLL_{server}_ADMIN_URL"));
    }
    command
}

fn read_addresses(file: &Path) -> Result<HashMap<String, String>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(text.lines().filter_map(|line| line.split_once('=')).map(|(name, url)| (name.to_owned(), url.to_owned())).collect())
}

/// A campaign that fails or panics leaves no server running.
impl Drop for Servers {
    fn drop(&mut self) {
        let _ = script_command(&self.run, &["stop"]).stderr(Stdio::null()).status();
    }
}
