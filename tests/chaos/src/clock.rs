//! Clocks of processes that a test can set while the processes run. They use libfaketime, which
//! `scripts/chaos-faketime.sh` finds. Durations stay true, as they do when a real clock is set.

use std::path::PathBuf;

use anyhow::{Result, bail};
use tokio::process::Command;

use crate::servers::checkout;

/// One clock for each process.
#[derive(Clone, Debug)]
pub struct Clocks {
    library: PathBuf,
    folder: PathBuf,
}

impl Clocks {
    /// Creates clocks that are right until they are set. The files in `folder` contain the offsets.
    ///
    /// # Errors
    /// Fails if libfaketime is not available.
    pub async fn new(folder: PathBuf) -> Result<Self> {
        let output = Command::new(checkout().join("scripts/chaos-faketime.sh")).output().await?;
        if !output.status.success() {
            bail!("libfaketime: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        std::fs::create_dir_all(&folder)?;
        Ok(Self { library: String::from_utf8(output.stdout)?.trim().into(), folder })
    }

    /// Sets the clock of a process off by this number of seconds.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn set(&self, process: usize, seconds: i64) -> Result<()> {
        let fresh = self.folder.join("new");
        std::fs::write(&fresh, format!("{seconds:+}\n"))?;
        Ok(std::fs::rename(fresh, self.offset(process))?)
    }

    /// The environment with which a process uses its clock. The clock is right at first.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn environment(&self, process: usize) -> Result<Vec<(String, String)>> {
        self.set(process, 0)?;
        let settings = [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.offset(process).display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        Ok(settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    fn offset(&self, process: usize) -> PathBuf {
        self.folder.join(process.to_string())
    }
}
