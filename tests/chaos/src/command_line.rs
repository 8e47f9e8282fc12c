//! Runs the command line of the real binary. It has a separate proxy, so that its connections can be cut.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::backscroll;

/// A command line with its environment.
#[derive(Clone, Debug)]
pub struct CommandLine {
    environment: Vec<(String, String)>,
    log: PathBuf,
}

impl CommandLine {
    /// A command line with this environment. Its output goes to this file.
    #[must_use]
    pub fn new(environment: Vec<(String, String)>, log: PathBuf) -> Self {
        Self { environment, log }
    }

    /// Runs the command to its end. Returns whether it succeeded.
    ///
    /// # Errors
    /// Fails if the command cannot be run, or takes longer than `limit`.
    pub async fn run(&self, arguments: &[&str], limit: Duration) -> Result<bool> {
        let log = std::fs::File::options().create(true).append(true).open(&self.log)?;
        let mut child = backscroll(arguments, &self.environment)?.stdout(log.try_clone()?).stderr(log).spawn()?;
        let ended = tokio::time::timeout(limit, child.wait()).await;
        Ok(ended.with_context(|| format!("`backscroll {}` does not end within {limit:?}", arguments.join(" ")))??.success())
    }
}
