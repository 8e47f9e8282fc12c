//! The addresses of the servers for the tests: from the environment, or from the file that `make services` wrote.

use std::net::TcpListener;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stores::redis::Redis;
use uuid::Uuid;

/// The ports below the range that Linux uses for outgoing connections (`net.ipv4.ip_local_port_range`).
const PORTS: Range<u16> = 20_000..32_000;

/// The folder of the project.
#[must_use]
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// The address of a server, by the name of its setting, such as `BACKSCROLL_POSTGRES_URL`.
///
/// # Panics
/// Panics if neither the environment nor `.run/services.env` has the setting.
#[must_use]
pub fn address(setting: &str) -> String {
    std::env::var(setting).ok().or_else(|| written(setting)).unwrap_or_else(|| panic!("{setting} is not set: run `make services` first"))
}

fn written(setting: &str) -> Option<String> {
    let written = std::fs::read_to_string(checkout().join(".run/services.env")).ok()?;
    written.lines().find_map(|line| line.strip_prefix(setting)?.strip_prefix('=').map(str::to_owned))
}

/// A free port of this machine for a server of a test. Nothing listens there, and Linux gives it to no outgoing
/// connection meanwhile.
#[must_use]
pub fn free_port() -> u16 {
    loop {
        let port = rand::random_range(PORTS);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Raises this process's limit of open files as far as the system allows. Many shells and service managers begin with
/// 1,024.
///
/// # Panics
/// Panics if the limit cannot be changed.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("the limit of open files");
}

/// A connection to Redis, with a separate prefix of keys.
///
/// # Panics
/// Panics if the address is invalid.
#[must_use]
pub fn redis() -> Redis {
    let key_prefix = format!("test:{}:", Uuid::now_v7().simple());
    Redis::single(&address("BACKSCROLL_REDIS_URL"), &key_prefix).expect("the address of Redis")
}

/// A connection to NATS. The client does not read the user and the password from the address, so this function passes
/// them.
///
/// # Panics
/// Panics if NATS cannot be reached.
pub async fn nats() -> async_nats::Client {
    let server: async_nats::ServerAddr = address("BACKSCROLL_NATS_URL").parse().expect("the address of NATS");
    let options = match (server.username(), server.password()) {
        (Some(name), Some(password)) => async_nats::ConnectOptions::with_user_and_password(name.into(), password.into()),
        _ => async_nats::ConnectOptions::new(),
    };
    options.connect(server).await.expect("NATS: run `make services` first")
}
