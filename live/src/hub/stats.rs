//! Counts of the live connections of this process.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::client::Transport;
use crate::close::Close;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The server closed it.
    Server(Close),
    /// The client closed it.
    Client,
    /// The client broke RFC 6455.
    Protocol,
    /// The connection was lost.
    Lost,
}

const ENDINGS: usize = Close::ALL.len() + 3;

/// The counts. All are since the process started, unless it says otherwise.
#[derive(Debug, Default)]
pub struct Stats {
    sockets: [AtomicI64; 2],
    frames: AtomicU64,
    bytes: AtomicU64,
    endings: [AtomicU64; ENDINGS],
    position: AtomicI64,
    lag_micros: AtomicI64,
}

impl Stats {
    pub(super) fn opened(&self, transport: Transport) {
        self.sockets[place_of(transport)].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn closed(&self, transport: Transport) {
        self.sockets[place_of(transport)].fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn delivered(&self, position: i64, lag_micros: i64) {
        self.position.store(position, Ordering::Relaxed);
        self.lag_micros.store(lag_micros.max(0), Ordering::Relaxed);
    }

    /// Counts how a connection ended.
    pub fn ended(&self, ending: Ending) {
        let place = match ending {
            Ending::Server(close) => Close::ALL.iter().position(|one| *one == close).unwrap_or(0),
            Ending::Client => Close::ALL.len(),
            Ending::Protocol => Close::ALL.len() + 1,
            Ending::Lost => Close::ALL.len() + 2,
        };
        self.endings[place].fetch_add(1, Ordering::Relaxed);
    }

    /// The open connections now, by transport.
    #[must_use]
    pub fn sockets(&self) -> [(&'static str, i64); 2] {
        [Transport::WebSocket, Transport::ServerSentEvents]
            .map(|transport| (transport.as_str(), self.sockets[place_of(transport)].load(Ordering::Relaxed)))
    }

    /// The frames that were sent.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// The bytes of these frames, as JSON.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How many connections ended, by close code: `client` is the client's own, `protocol` a breach of RFC 6455, `lost` a
    /// connection that was lost.
    #[must_use]
    pub fn endings(&self) -> Vec<(String, u64)> {
        let codes = Close::ALL.iter().map(|close| close.code().to_string());
        let names = codes.chain(["client", "protocol", "lost"].map(str::to_owned));
        names.zip(self.endings.iter().map(|count| count.load(Ordering::Relaxed))).collect()
    }

    /// The position of the last event that was given to the connections.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.position.load(Ordering::Relaxed)
    }

    /// How long that event had been in the log, in seconds.
    #[must_use]
    pub fn lag_seconds(&self) -> f64 {
        std::time::Duration::from_micros(self.lag_micros.load(Ordering::Relaxed).unsigned_abs()).as_secs_f64()
    }
}

fn place_of(transport: Transport) -> usize {
    match transport {
        Transport::WebSocket => 0,
        Transport::ServerSentEvents => 1,
    }
}
