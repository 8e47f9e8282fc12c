//! The machine and the versions of a measurement.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tests::servers::{address, checkout, nats};

use crate::runs::Latencies;

/// The number of disk writes that are measured.
const SYNCS: usize = 200;

/// The processor, its cores and the memory.
pub fn hardware() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "an unnamed processor".into());
    let memory = field("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok()).unwrap_or_default();
    format!("{model}, {cores} cores, {} GiB of memory", memory / 1_048_576)
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The versions of the compiler and the servers.
pub async fn versions() -> String {
    let rustc = output("rustc", &["--version"]);
    let rustc = rustc.split(' ').nth(1).unwrap_or("?");
    let mut postgres = PgConnection::connect(&address("BACKSCROLL_POSTGRES_URL")).await.expect("Postgres");
    let version = sqlx::query_scalar::<_, String>("SHOW server_version").fetch_one(&mut postgres).await.expect("Postgres' version");
    let postgres = version.split(' ').next().unwrap_or_default();
    let nats = nats().await.server_info().version;
    format!("rustc {rustc}, Postgres {postgres}, NATS {nats}, Redis {}", redis_version().await)
}

async fn redis_version() -> String {
    let client = redis::Client::open(address("BACKSCROLL_REDIS_URL")).expect("the address of Redis");
    let mut connection = client.get_multiplexed_async_connection().await.expect("Redis");
    let info = redis::cmd("INFO").arg("server").query_async::<String>(&mut connection).await.expect("Redis' version");
    info.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or("?").trim().to_owned()
}

/// The commit, and whether the checkout has changes since.
pub fn commit() -> String {
    let changed = output("git", &["status", "--porcelain", "--", ".", ":!docs/BENCHMARKS.md", ":!docs/benchmarks.json"]);
    let commit = output("git", &["rev-parse", "--short=10", "HEAD"]);
    if changed.is_empty() { commit } else { format!("{commit}, changed") }
}

fn output(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).current_dir(checkout()).output();
    done.ok().map(|done| String::from_utf8_lossy(&done.stdout).trim().to_owned()).unwrap_or_default()
}

/// The median time for the disk to store 8 kB (write and fdatasync), in milliseconds. It is measured in the folder of
/// this checkout, where the servers keep their data by default.
pub fn disk_sync() -> f64 {
    let took = || -> std::io::Result<Vec<Duration>> {
        let mut file = tempfile::tempfile_in(checkout().join("target"))?;
        let page = [7_u8; 8_192];
        let mut all = Vec::with_capacity(SYNCS);
        for _ in 0..SYNCS {
            let began = Instant::now();
            file.write_all(&page)?;
            file.sync_data()?;
            all.push(began.elapsed());
        }
        Ok(all)
    };
    Latencies::of(took().expect("a file in target/")).percentile(0.5)
}

/// The present date, as `date` prints it.
pub fn today() -> String {
    chrono::Utc::now().format("%Y-%m-%d").to_string()
}
