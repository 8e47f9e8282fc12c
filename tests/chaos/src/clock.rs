//! The clocks of processes, each set at will while it runs: libfaketime, which `scripts/chaos-faketime.sh` finds. Time spans stay true, as they
//! do when a real clock is set.

use std::path::PathBuf;

use anyhow::{Result, bail};
use tokio::process::Command;

use crate::servers::checkout;

/// Clocks that can be set: one for each process.
#[derive(Clone, Debug)]
pub struct Clocks {
    library: PathBuf,
    folder: PathBuf,
}

impl Clocks {
    /// Clocks that are right until they are set. The files in `folder` say by how much they are wrong.
    ///
    /// # Errors
    /// libfaketime cannot be had.
    pub async fn new(folder: PathBuf) -> Result<Self> {
        let output = Command::new(checkout().join("scripts/chaos-faketime.sh")).output().await?;
        if !output.status.success() {
            bail!("libfaketime: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        std::fs::create_dir_all(&folder)?;
        Ok(Self { library: String::from_utf8(output.stdout)?.trim().into(), folder })
    }

    /// Sets the clock of a process so many seconds off.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set(&self, process: usize, seconds: i64) -> Result<()> {
        let fresh = self.folder.join("new");
        std::fs::write(&fresh, format!("{seconds:+}\n"))?;
        Ok(std::fs::rename(fresh, self.offset(process))?)
    }

    /// What makes a process go by its clock, which is right at first.
    ///
    /// # Errors
    /// The file cannot be written.
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
