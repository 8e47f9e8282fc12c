//! The programs of Debian's packages, as processes.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::servers::checkout;

/// A running server. It is told to end, and waited for, when this value is dropped.
pub(super) struct Process {
    child: Child,
    /// The signal that ends it.
    stop_signal: &'static str,
}

fn command(folder: &Path, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(checkout().join("scripts/services.sh"));
    command.arg("debian").arg(folder).arg(program).args(arguments).stdin(Stdio::null());
    command
}

/// The file with the output of a server that runs in a folder.
pub(super) fn log_of(folder: &Path) -> PathBuf {
    folder.with_extension("log")
}

impl Process {
    /// Starts a server in a folder.
    pub(super) fn start(folder: &Path, program: &str, stop_signal: &'static str, arguments: &[&str]) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(log_of(folder)).expect("a log");
        let mut command = command(folder, program, arguments);
        command.stdout(log.try_clone().expect("the log")).stderr(log);
        Self { child: command.spawn().expect("scripts/services.sh"), stop_signal }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = Command::new("kill").arg(format!("-{}", self.stop_signal)).arg(self.child.id().to_string()).status();
        }
        let _ = self.child.wait();
    }
}

/// Runs a program of Debian in a folder, to its end, such as `pg_dump`.
///
/// # Panics
/// Panics if the program does not run.
#[must_use]
pub fn tool(folder: &Path, program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = command(folder, program, arguments);
    command.envs(environment.iter().copied()).output().expect("scripts/services.sh")
}
