//! The clock of a process, set at will while it runs: libfaketime, which `scripts/chaos-faketime.sh` finds. Time spans stay true, as they do
//! when a real clock is set.

use std::path::PathBuf;

use anyhow::{Result, bail};
use tokio::process::Command;

use crate::servers::checkout;

/// A clock that can be set.
#[derive(Clone, Debug)]
pub struct Clock {
    library: PathBuf,
    offset: PathBuf,
}

impl Clock {
    /// A clock that is right until it is set. `offset` is the file that says by how much it is wrong.
    ///
    /// # Errors
    /// libfaketime cannot be had.
    pub async fn new(offset: PathBuf) -> Result<Self> {
        let output = Command::new(checkout().join("scripts/chaos-faketime.sh")).output().await?;
        if !output.status.success() {
            bail!("libfaketime: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let clock = Self { library: String::from_utf8(output.stdout)?.trim().into(), offset };
        clock.set(0)?;
        Ok(clock)
    }

    /// Sets it so many seconds off.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set(&self, seconds: i64) -> Result<()> {
        let fresh = self.offset.with_extension("new");
        std::fs::write(&fresh, format!("{seconds:+}\n"))?;
        Ok(std::fs::rename(fresh, &self.offset)?)
    }

    /// What makes a process go by it.
    pub fn environment(&self) -> Vec<(String, String)> {
        let settings = [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.offset.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
