//! One process of Backscroll: the real binary, with proxies between it and its servers.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};

use crate::proxy::Proxy;
use crate::servers::checkout;

/// The role of a process: the arguments of `backscroll serve`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// All roles.
    Whole,
    /// HTTP only.
    Http,
    /// The relay only.
    Relay,
    /// The projectors only.
    Projectors,
}

impl Role {
    /// Whether the process serves HTTP.
    #[must_use]
    pub fn serves_http(self) -> bool {
        matches!(self, Self::Whole | Self::Http)
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Whole => &["serve"],
            Self::Http => &["serve", "--only", "http"],
            Self::Relay => &["serve", "--only", "relay"],
            Self::Projectors => &["serve", "--only", "projectors"],
        }
    }
}

/// The times when a process did not run or was stopped. A request may have failed because of that.
#[derive(Clone, Debug, Default)]
pub struct Downtime(Arc<Mutex<Vec<Span>>>);

/// The begin of a downtime, and its end if it is over.
type Span = (Instant, Option<Instant>);

impl Downtime {
    fn begin(&self) {
        if let Ok(mut spans) = self.0.lock() {
            spans.push((Instant::now(), None));
        }
    }

    fn end(&self) {
        if let Ok(mut spans) = self.0.lock()
            && let Some((_, until)) = spans.last_mut()
        {
            until.get_or_insert_with(Instant::now);
        }
    }

    /// Whether the process was down at any time between these two.
    #[must_use]
    pub fn overlaps(&self, from: Instant, to: Instant) -> bool {
        let overlaps = |(began, ended): &Span| *began <= to && ended.is_none_or(|ended| ended >= from);
        self.0.lock().is_ok_and(|spans| spans.iter().any(overlaps))
    }
}

/// One process, running or not.
#[derive(Debug)]
pub struct Process {
    /// The role of the process.
    pub role: Role,
    /// The proxy to Postgres.
    pub to_postgres: Proxy,
    /// The proxy to NATS.
    pub to_nats: Proxy,
    /// The downtimes of the process.
    pub downtime: Downtime,
    /// The address for HTTP, if it serves HTTP.
    pub url: String,
    environment: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// A process that does not run yet.
    #[must_use]
    pub fn new(role: Role, url: String, to_postgres: Proxy, to_nats: Proxy, environment: Vec<(String, String)>, log: PathBuf) -> Self {
        Self { role, to_postgres, to_nats, downtime: Downtime::default(), url, environment, log, child: None }
    }

    /// Starts the process. If it serves HTTP, waits until it answers.
    ///
    /// # Errors
    /// Fails if the process ends, or does not answer in time.
    pub async fn start(&mut self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        self.launch()?;
        while !self.answers().await {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().transpose()) {
                bail!("{:?} ended at once, with {}: {}", self.role, status?, self.log.display());
            }
            if Instant::now() > deadline {
                bail!("{:?} does not answer after {limit:?}: {}", self.role, self.log.display());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.downtime.end();
        Ok(())
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// Fails if the process cannot be killed.
    pub async fn kill(&mut self) -> Result<()> {
        self.downtime.begin();
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Sends SIGTERM, as an operator would, and waits until the process has ended.
    ///
    /// # Errors
    /// Fails if the process does not end.
    pub async fn stop(&mut self) -> Result<()> {
        self.downtime.begin();
        self.signal("TERM").await?;
        if let Some(mut child) = self.child.take() {
            let ended = tokio::time::timeout(Duration::from_secs(15), child.wait()).await;
            ended.with_context(|| format!("{:?} does not stop", self.role))??;
        }
        Ok(())
    }

    /// Sends SIGSTOP: the process exists, and does nothing.
    ///
    /// # Errors
    /// Fails if the process does not run.
    pub async fn pause(&self) -> Result<()> {
        self.downtime.begin();
        self.signal("STOP").await
    }

    /// Sends SIGCONT.
    ///
    /// # Errors
    /// Fails if the process does not run.
    pub async fn wake(&self) -> Result<()> {
        self.signal("CONT").await?;
        self.downtime.end();
        Ok(())
    }

    /// The process's identifier, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Whether the process has ended without a signal of the campaign.
    pub fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().is_ok_and(|status| status.is_some()))
    }

    fn launch(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = backscroll(self.role.arguments(), &self.environment)?;
        self.child = Some(command.stdout(log.try_clone()?).stderr(log).spawn()?);
        Ok(())
    }

    async fn answers(&self) -> bool {
        if !self.role.serves_http() {
            return true;
        }
        let request = reqwest::Client::new().get(format!("{}/healthz", self.url)).timeout(Duration::from_secs(1)).send();
        request.await.is_ok_and(|answer| answer.status().is_success())
    }

    async fn signal(&self, name: &str) -> Result<()> {
        let pid = self.pid().with_context(|| format!("{:?} does not run", self.role))?;
        let status = Command::new("bash").args(["-c", &format!("kill -{name} {pid}")]).status().await?;
        if !status.success() {
            bail!("{:?} could not be sent SIG{name}", self.role);
        }
        Ok(())
    }
}

/// The binary with these arguments and only this environment. It ends when this process ends, in whatever way.
///
/// # Errors
/// Fails if the binary was not built.
pub fn backscroll(arguments: &[&str], environment: &[(String, String)]) -> Result<Command> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(binary()?).args(arguments);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).current_dir(checkout()).kill_on_drop(true);
    Ok(command)
}

/// The binary that was built with this harness: in the same folder, or in its parent.
fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let beside = own.ancestors().skip(1).take(2).map(|folder: &Path| folder.join("backscroll"));
    let found = beside.into_iter().find(|path| path.is_file());
    found.context("backscroll is not built: `cargo build --workspace` first, in the same profile")
}
