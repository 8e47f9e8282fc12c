//! The servers of the campaign, with separate data and ports: Postgres, NATS, Redis and, if the plan needs it,
//! Elasticsearch. `scripts/services.sh` finds, starts and kills them. The campaign touches no server that it did not
//! start.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::process::Command;

/// A server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// The log and the read models.
    Postgres,
    /// The transport.
    Nats,
    /// Sessions, limits and the cache.
    Redis,
    /// The search, if the plan breaks it.
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
    /// The servers that were started in `run`, or will be.
    #[must_use]
    pub fn at(run: PathBuf) -> Self {
        Self { run, addresses: HashMap::new() }
    }

    /// Starts new servers that write to `run`. Elasticsearch starts only if it is needed.
    ///
    /// # Errors
    /// Fails if a server does not start.
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

    /// Starts a killed server again with its data.
    ///
    /// # Errors
    /// Fails if the server does not start.
    pub async fn restart(&self, server: Server) -> Result<()> {
        self.script(&["start", server.name()]).await
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// Fails if the server does not end.
    pub async fn crash(&self, server: Server) -> Result<()> {
        self.script(&["crash", server.name()]).await
    }

    /// `kill -9`, and deletes the data.
    ///
    /// # Errors
    /// Fails if the server does not end.
    pub async fn wipe(&self, server: Server) -> Result<()> {
        self.script(&["wipe", server.name()]).await
    }

    /// Stops the server's processes with SIGSTOP. It keeps its connections.
    ///
    /// # Errors
    /// Fails if the server cannot be stopped.
    pub async fn freeze(&self, server: Server) -> Result<()> {
        self.script(&["freeze", server.name()]).await
    }

    /// Lets a frozen server continue.
    ///
    /// # Errors
    /// Fails if the server does not continue.
    pub async fn thaw(&self, server: Server) -> Result<()> {
        self.script(&["thaw", server.name()]).await
    }

    /// Stops all servers, and deletes their data.
    ///
    /// # Errors
    /// Fails if a server does not stop.
    pub async fn destroy(&self) -> Result<()> {
        self.script(&["destroy"]).await
    }

    /// Stops all servers. Their data stay for inspection.
    ///
    /// # Errors
    /// Fails if a server does not stop.
    pub async fn stop(&self) -> Result<()> {
        self.script(&["stop"]).await
    }

    /// The address of a server, by its setting: `BACKSCROLL_POSTGRES_URL` and so on.
    ///
    /// # Errors
    /// Fails if the file of addresses lacks it.
    pub fn address(&self, name: &str) -> Result<&str> {
        self.addresses.get(name).map(String::as_str).with_context(|| format!("the file of addresses lacks {name}"))
    }

    /// A few connections for the harness that use no proxy.
    ///
    /// # Errors
    /// Fails if the address is invalid.
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
    // With an address in the environment, the script would use that server, which does not belong to the campaign.
    for server in ["POSTGRES", "NATS", "REDIS", "ELASTICSEARCH"] {
        command.env_remove(format!("BACKSCROLL_{server}_URL")).env_remove(format!("BACKSCROLL_{server}_ADMIN_URL"));
    }
    command
}

fn read_addresses(file: &Path) -> Result<HashMap<String, String>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(text.lines().filter_map(|line| line.split_once('=')).map(|(name, url)| (name.to_owned(), url.to_owned())).collect())
}

/// Stops the servers when a campaign fails or panics.
impl Drop for Servers {
    fn drop(&mut self) {
        let _ = script_command(&self.run, &["stop"]).stderr(Stdio::null()).status();
    }
}
