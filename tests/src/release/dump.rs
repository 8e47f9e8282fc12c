//! Dumps a database, with its manifest, into the folder of a release.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use sqlx::{Executor, PgPool};

use super::{Manifest, manifest};

/// The name of the dump in the folder of a release.
pub(super) const FILE: &str = "database.sql.gz";
/// Replaces the name of the machine where a process wrote it into the database.
const HOLDER: &str = "fixture:1";

/// Dumps the database at this address with this `pg_dump`, and writes the manifest beside it. No server may use the
/// database meanwhile.
///
/// # Panics
/// Panics if a file cannot be written, or if `pg_dump` fails.
pub async fn dump(pg_dump: &str, url: &str, pool: &PgPool, folder: &Path, manifest: &Manifest) {
    fs::create_dir_all(folder).expect("the release's folder");
    forget_the_machine(pool).await;
    let mut child = Command::new(pg_dump)
        .args(["--format=plain", "--no-owner", "--no-privileges", url])
        .stdout(Stdio::piped())
        .spawn()
        .expect("pg_dump runs");
    // The skipped lines name packages of the machine that made the dump.
    let mut packed = GzEncoder::new(File::create(folder.join(FILE)).expect("a file"), Compression::best());
    for line in BufReader::new(child.stdout.take().expect("its output")).split(b'\n') {
        let line = line.expect("the dump");
        if !line.starts_with(b"-- Dumped ") {
            packed.write_all(&[line.as_slice(), b"\n"].concat()).expect("the dump");
        }
    }
    packed.finish().and_then(|file| file.sync_all()).expect("the dump");
    assert!(child.wait().expect("its end").success(), "pg_dump failed");
    let text = serde_json::to_string_pretty(manifest).expect("JSON");
    fs::write(folder.join(manifest::FILE), text + "\n").expect("the manifest");
}

/// A process that holds a lease writes the host's name beside it. These tables are not part of the log, so the name can
/// be changed.
async fn forget_the_machine(pool: &PgPool) {
    for table in ["public.projection_checkpoints", "public.replays"] {
        pool.execute(format!("UPDATE {table} SET holder = '{HOLDER}' WHERE holder IS NOT NULL").as_str())
            .await
            .expect("the database's owner may do this");
    }
}
