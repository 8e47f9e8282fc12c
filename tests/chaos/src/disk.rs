//! A small disk for the read models alone, so that it can be full while the log's is not: a tablespace on a tmpfs.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use sqlx::{Connection, PgConnection};

/// How large it is, and how much larger for each round: far more than the read models of a campaign take, with the files of tables that a crash made orphans.
/// Postgres does not recover on a disk that stays full. Nothing of it is used before it is filled.
const DISK_MB: usize = 256;
const DISK_MB_PER_ROUND: usize = 32;

/// A mounted disk.
#[derive(Debug)]
pub struct SmallDisk {
    mount: PathBuf,
    megabytes: usize,
}

impl SmallDisk {
    /// Where a run's is mounted: not in its own folder, which Postgres, who is another user, may not be let into.
    pub fn place(run: &Path) -> PathBuf {
        std::env::temp_dir().join(format!("backscroll-chaos{}", run.display().to_string().replace('/', "-")))
    }

    /// Mounts one for so many rounds, and gives it to Postgres as the tablespace `small`. Nothing where nothing may be mounted.
    ///
    /// # Errors
    /// Postgres does not take it.
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

    /// Unmounts what is mounted there, if anything is: what a run that was killed left, too.
    pub fn unmount(folder: &Path) {
        // Lazily: Postgres may have files open until it stops.
        let _ = Command::new("umount").arg("--lazy").arg(folder).stderr(Stdio::null()).status();
        // Where it was not mounted, or is not empty, it stays.
        let _ = std::fs::remove_dir(folder);
    }

    /// Moves the read models there, with whatever is made in them from now on.
    ///
    /// # Errors
    /// Postgres does not do it.
    pub async fn take_read_models(&self, url: &str) -> Result<()> {
        let mut connection = PgConnection::connect(url).await?;
        let relations = sqlx::query_scalar::<_, String>(
            "SELECT format('ALTER %s read.%I SET TABLESPACE small', CASE WHEN relkind IN ('i', 'I') THEN 'INDEX' ELSE 'TABLE' END, relname)
             FROM pg_class WHERE relnamespace = 'read'::regnamespace AND relkind IN ('r', 'p', 'i', 'I')
               AND reltablespace <> (SELECT oid FROM pg_tablespace WHERE spcname = 'small')",
        );
        // A rebuild makes its tables there too.
        let from_now_on = "ALTER ROLE CURRENT_USER SET default_tablespace = small".to_owned();
        for sql in relations.fetch_all(&mut connection).await?.into_iter().chain([from_now_on]) {
            sqlx::raw_sql(&sql).execute(&mut connection).await.with_context(|| sql.clone())?;
        }
        Ok(connection.close().await?)
    }

    /// Fills it to the last byte.
    ///
    /// # Errors
    /// It cannot be written at all.
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

    /// Makes room again.
    ///
    /// # Errors
    /// What fills it cannot be removed.
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
