//! A proxy between one process and one server. It breaks connections, and tampers with the messages that NATS delivers.

mod nats;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Result;
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use nats::Mistreatment;

const CHUNK_BYTES: usize = 64 * 1024;

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// Any bytes.
    Bytes,
    /// The protocol of NATS, from the server to the client.
    Nats,
}

/// A proxy that listens until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// The port on 127.0.0.1 at which it listens.
    pub port: u16,
    controls: Arc<Controls>,
    listener: JoinHandle<()>,
}

/// The faults that the proxy injects.
#[derive(Debug)]
struct Controls {
    target: u16,
    speech: Speech,
    /// Every connection that sees a new value ends.
    cut: watch::Sender<u64>,
    /// Of 1,000 requests, this number end their connection.
    cut_per_mille: AtomicU32,
    mistreatment: Mistreatment,
    cuts: AtomicU64,
    /// The local ports of the present connections to the server.
    outgoing: Mutex<HashSet<u16>>,
    chance: Mutex<StdRng>,
}

impl Proxy {
    /// A proxy for a server at a port of this machine.
    ///
    /// # Errors
    /// Fails if no port is free.
    pub async fn start(target: u16, speech: Speech, chance: StdRng) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let controls = Arc::new(Controls {
            target,
            speech,
            cut: watch::channel(0).0,
            cut_per_mille: AtomicU32::new(0),
            mistreatment: Mistreatment::default(),
            cuts: AtomicU64::new(0),
            outgoing: Mutex::default(),
            chance: Mutex::new(chance),
        });
        let accepting = accept(listener, controls.clone());
        Ok(Self { port, controls, listener: tokio::spawn(accepting) })
    }

    /// Ends every connection at once.
    pub fn cut_all(&self) {
        self.controls.cut.send_modify(|count| *count += 1);
    }

    /// From now on, this number of 1,000 requests end their connection: before the request is passed on, or before its
    /// answer arrives.
    pub fn cut_per_mille(&self, requests: u32) {
        self.controls.cut_per_mille.store(requests, Relaxed);
    }

    /// The faults in the messages of JetStream.
    #[must_use]
    pub fn mistreatment(&self) -> &Mistreatment {
        &self.controls.mistreatment
    }

    /// Whether one of the connections reaches the server from this port.
    #[must_use]
    pub fn carries(&self, port: u16) -> bool {
        self.controls.outgoing.lock().is_ok_and(|ports| ports.contains(&port))
    }

    /// The number of connections that were ended and of messages that were tampered with, since the last call.
    pub fn take_meddled(&self) -> u64 {
        self.controls.cuts.swap(0, Relaxed) + self.controls.mistreatment.count.swap(0, Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
        self.cut_all();
    }
}

async fn accept(listener: TcpListener, controls: Arc<Controls>) {
    loop {
        if let Ok((client, _)) = listener.accept().await {
            tokio::spawn(carry(client, controls.clone()));
        }
    }
}

/// Carries one connection to its end. The client sees a reset, as when a machine fails. The server sees a reset, too,
/// or an ordinary close, and may then still run the requests that it received before.
async fn carry(client: TcpStream, controls: Arc<Controls>) {
    let mut cut = controls.cut.subscribe();
    let Ok(server) = TcpStream::connect(("127.0.0.1", controls.target)).await else { return };
    for end in [&client, &server] {
        let _ = end.set_nodelay(true);
    }
    let _ = client.set_zero_linger();
    if controls.flips_a_coin() {
        let _ = server.set_zero_linger();
    }
    let port = server.local_addr().map_or(0, |address| address.port());
    controls.note(port, true);
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        _ = requests(from_client, to_server, &controls) => {}
        () = answers(from_server, to_client, &controls) => {}
        _ = cut.changed() => drop(controls.cuts.fetch_add(1, Relaxed)),
    }
    controls.note(port, false);
}

/// Passes requests on until the connection ends, or until a random fault ends it.
async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, controls: &Controls) -> Option<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let count = from.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        let fate = controls.fate();
        if fate == Fate::CutBefore {
            return None;
        }
        to.write_all(buffer.get(..count)?).await.ok()?;
        if let Fate::CutAfter(pause) = fate {
            tokio::time::sleep(pause).await;
            return None;
        }
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, controls: &Controls) {
    match controls.speech {
        Speech::Bytes => drop(tokio::io::copy(&mut from, &mut to).await),
        Speech::Nats => drop(nats::carry(from, to, &controls.mistreatment, &controls.chance).await),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Pass,
    CutBefore,
    CutAfter(Duration),
}

impl Controls {
    fn note(&self, port: u16, is_open: bool) {
        if let Ok(mut ports) = self.outgoing.lock() {
            if is_open {
                ports.insert(port)
            } else {
                ports.remove(&port)
            };
        }
    }

    fn flips_a_coin(&self) -> bool {
        self.chance.lock().is_ok_and(|mut chance| chance.random_bool(0.5))
    }

    fn fate(&self) -> Fate {
        let per_mille = self.cut_per_mille.load(Relaxed);
        let Ok(mut chance) = self.chance.lock() else { return Fate::Pass };
        if per_mille == 0 || chance.random_range(0..1_000) >= per_mille {
            return Fate::Pass;
        }
        self.cuts.fetch_add(1, Relaxed);
        match chance.random_range(0..3) {
            0 => Fate::CutBefore,
            1 => Fate::CutAfter(Duration::ZERO),
            _ => Fate::CutAfter(Duration::from_millis(chance.random_range(1..8))),
        }
    }
}
