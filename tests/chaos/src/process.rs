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

/// What a process does: the arguments of `backscroll serve`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Whole,
    /// HTTP only.
    Http,
    /// The relay only.
    Relay,
    /// The projectors only.
    Projectors,
}

impl Role {
    /// Whether it answers HTTP.
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

/// When a process did not run, or was stopped: a request to it may have broken off then.
#[derive(Clone, Debug, Default)]
pub struct Downtime(Arc<Mutex<Vec<Span>>>);

/// From when, and until when, if it is over.
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

    /// Whether it was down at any moment between the two.
    #[must_use]
    pub fn overlaps(&self, from: Instant, to: Instant) -> bool {
        let overlaps = |(began, ended): &Span| *began <= to && ended.is_none_or(|ended| ended >= from);
        self.0.lock().is_ok_and(|spans| spans.iter().any(overlaps))
    }
}

/// One process, running or not.
#[derive(Debug)]
pub struct Process {
    /// What it does.
    pub role: Role,
    /// Between it and Postgres.
    pub to_postgres: Proxy,
    /// Between it and NATS.
    pub to_nats: Proxy,
    /// When it was down.
    pub downtime: Downtime,
    /// Where it serves HTTP, if it does.
    pub url: String,
    environment: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// One that does not run yet.
    #[must_use]
    pub fn new(role: Role, url: String, to_postgres: Proxy, to_nats: Proxy, environment: Vec<(String, String)>, log: PathBuf) -> Self {
        Self { role, to_postgres, to_nats, downtime: Downtime::default(), url, environment, log, child: None }
    }

    /// Starts it, and waits until it answers, if it is to.
    ///
    /// # Errors
    /// It ends, or does not answer in time.
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
    /// It cannot be killed.
    pub async fn kill(&mut self) -> Result<()> {
        self.downtime.begin();
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// SIGTERM, as an operator would; and waits for the end.
    ///
    /// # Errors
    /// It does not end.
    pub async fn stop(&mut self) -> Result<()> {
        self.downtime.begin();
        self.signal("TERM").await?;
        if let Some(mut child) = self.child.take() {
            let ended = tokio::time::timeout(Duration::from_secs(15), child.wait()).await;
            ended.with_context(|| format!("{:?} does not stop", self.role))??;
        }
        Ok(())
    }

    /// SIGSTOP: it is there, and does nothing.
    ///
    /// # Errors
    /// It does not run.
    pub async fn pause(&self) -> Result<()> {
        self.downtime.begin();
        self.signal("STOP").await
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// It does not run.
    pub async fn wake(&self) -> Result<()> {
        self.signal("CONT").await?;
        self.downtime.end();
        Ok(())
    }

    /// Its number, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Whether it has ended by itself.
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

/// The binary with those arguments and that environment, and nothing else. It ends with this process, however that ends.
///
/// # Errors
/// It was not built.
pub fn backscroll(arguments: &[&str], environment: &[(String, String)]) -> Result<Command> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(binary()?).args(arguments);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).current_dir(checkout()).kill_on_drop(true);
    Ok(command)
}

/// The binary that was built with this harness: beside it, or a folder up.
fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let beside = own.ancestors().skip(1).take(2).map(|folder: &Path| folder.join("backscroll"));
    let found = beside.into_iter().find(|path| path.is_file());
    found.context("backscroll is not built: `cargo build --workspace` first, in the same profile")
}
