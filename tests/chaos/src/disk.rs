//! A small disk for the read models alone: a tablespace on a tmpfs. It can be full while the disk of the log is not.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use sqlx::{Connection, PgConnection};

/// The size of the disk, and its growth for each round. The read models of a campaign need far less, even with the
/// orphaned files that a crash leaves. Postgres does not recover on a disk that stays full. The space takes no memory
/// until it is filled.
const DISK_MB: usize = 256;
const DISK_MB_PER_ROUND: usize = 32;

/// A mounted disk.
#[derive(Debug)]
pub struct SmallDisk {
    mount: PathBuf,
    megabytes: usize,
}

impl SmallDisk {
    /// The mount point of a run's disk. It is not in the run's folder, because Postgres runs as another user, who may
    /// have no access there.
    pub fn place(run: &Path) -> PathBuf {
        std::env::temp_dir().join(format!("backscroll-chaos{}", run.display().to_string().replace('/', "-")))
    }

    /// Mounts a disk for this number of rounds, and makes it the tablespace `small` of Postgres. Returns `None` if this
    /// machine allows no mounts.
    ///
    /// # Errors
    /// Fails if Postgres does not accept the tablespace.
    pub async fn mount(folder: &Path, rounds: usize, admin_url: &str) -> Result<Option<Self>> {
        std::fs::create_dir_all(folder)?;
        let megabytes = DISK_MB + rounds * DISK_MB_PER_ROUND;
        let size = format!("size={megabytes}m,mode=0755");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "backscroll-chaos"]).arg(folder).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            return Ok(None);
        }
        let disk = Self { mount: folder.to_owned(), megabytes };
        let tablespace = folder.join("tablespace");
        std::fs::create_dir(&tablespace)?;
        run("chown", &["nobody", &tablespace.display().to_string()])?;
        let mut connection = PgConnection::connect(admin_url).await?;
        for sql in [
            format!("CREATE TABLESPACE small LOCATION '{}'", tablespace.display()),
            "GRANT CREATE ON TABLESPACE small TO backscroll".to_owned(),
        ] {
            sqlx::raw_sql(&sql).execute(&mut connection).await.context("the tablespace")?;
        }
        connection.close().await?;
        Ok(Some(disk))
    }

    /// Unmounts the disk, if one is mounted. A killed run may have left one.
    pub fn unmount(folder: &Path) {
        // A lazy unmount, because Postgres may have open files until it stops.
        let _ = Command::new("umount").arg("--lazy").arg(folder).stderr(Stdio::null()).status();
        // The folder stays if it is not empty.
        let _ = std::fs::remove_dir(folder);
    }

    /// Moves the read models to the disk. New tables go there, too.
    ///
    /// # Errors
    /// Fails if Postgres cannot move them.
    pub async fn take_read_models(&self, url: &str) -> Result<()> {
        let mut connection = PgConnection::connect(url).await?;
        let relations = sqlx::query_scalar::<_, String>(
            "SELECT format('ALTER %s read.%I SET TABLESPACE small', CASE WHEN relkind IN ('i', 'I') THEN 'INDEX' ELSE 'TABLE' END, relname)
             FROM pg_class WHERE relnamespace = 'read'::regnamespace AND relkind IN ('r', 'p', 'i', 'I')
               AND reltablespace <> (SELECT oid FROM pg_tablespace WHERE spcname = 'small')",
        );
        // The tables of a rebuild go to the disk, too.
        let from_now_on = "ALTER ROLE CURRENT_USER SET default_tablespace = small".to_owned();
        for sql in relations.fetch_all(&mut connection).await?.into_iter().chain([from_now_on]) {
            sqlx::raw_sql(&sql).execute(&mut connection).await.with_context(|| sql.clone())?;
        }
        Ok(connection.close().await?)
    }

    /// Fills the disk to the last byte.
    ///
    /// # Errors
    /// Fails if nothing can be written at all.
    pub fn fill(&self) -> Result<String> {
        let mut file = File::create(self.filler())?;
        let mut written = 0;
        for size in [1 << 20, 1 << 12] {
            let block = vec![1; size];
            while file.write_all(&block).is_ok() {
                written += size;
            }
        }
        Ok(format!("{} MB of {} MB taken", written >> 20, self.megabytes))
    }

    /// Frees the disk.
    ///
    /// # Errors
    /// Fails if the filling file cannot be removed.
    pub fn empty(&self) -> Result<()> {
        match std::fs::remove_file(self.filler()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn filler(&self) -> PathBuf {
        self.mount.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Self::unmount(&self.mount);
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).output()?;
    if !output.status.success() {
        bail!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
