//! The command line of the real binary, over a proxy of its own, so that it can be broken into.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::backscroll;

/// What runs it.
#[derive(Clone, Debug)]
pub struct CommandLine {
    environment: Vec<(String, String)>,
    log: PathBuf,
}

impl CommandLine {
    /// With that environment; what it says goes to that file.
    #[must_use]
    pub fn new(environment: Vec<(String, String)>, log: PathBuf) -> Self {
        Self { environment, log }
    }

    /// Runs it to its end. Returns whether it succeeded.
    ///
    /// # Errors
    /// It cannot be run, or takes longer than that.
    pub async fn run(&self, arguments: &[&str], limit: Duration) -> Result<bool> {
        let log = std::fs::File::options().create(true).append(true).open(&self.log)?;
        let mut child = backscroll(arguments, &self.environment)?.stdout(log.try_clone()?).stderr(log).spawn()?;
        let ended = tokio::time::timeout(limit, child.wait()).await;
        Ok(ended.with_context(|| format!("`backscroll {}` does not end within {limit:?}", arguments.join(" ")))??.success())
    }
}
