//! The socket for clients, and the number of connections that it can have at a time.

use std::io;
use std::net::{SocketAddr, TcpListener};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most clients in the queue of connections that are not accepted yet.
const BACKLOG: i32 = 1024;
/// The open files reserved for everything but clients: the stores, the logs, files of the system.
const FILES_RESERVED: u64 = 256;

/// Listens at `address`.
pub(super) fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    // The standard library uses 128.
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// The most connections: as many as `wanted`, if the system allows enough open files.
pub(super) fn connections_max(wanted: usize) -> usize {
    let files = raise_open_files(wanted as u64 + FILES_RESERVED);
    let possible = usize::try_from(files.saturating_sub(FILES_RESERVED)).unwrap_or(usize::MAX);
    if possible < wanted {
        tracing::warn!(open_files = files, connections_max = possible, "the system allows too few open files for connections_max");
    }
    wanted.min(possible).max(1)
}

/// Raises the limit of open files to `wanted`, or as far as the system allows. Returns the limit.
fn raise_open_files(wanted: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = wanted.min(maximum.unwrap_or(u64::MAX));
    let now = current.unwrap_or(u64::MAX);
    if now >= raised {
        return now;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => raised,
        Err(_) => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_connections_than_files() {
        assert_eq!(connections_max(16), 16);
        let all = connections_max(usize::MAX / 2);
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert_eq!(all as u64 + FILES_RESERVED, files);
    }
}
