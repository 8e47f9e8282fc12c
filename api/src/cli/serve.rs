//! `backscroll serve`

use std::future::pending;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, ValueEnum};
use stores::release::Outdated;
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::sync::watch::Receiver;

use super::{Failure, announce, print};
use crate::app::{App, Roles, Server, StartError};
use crate::config::{LogFormat, Settings};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Run only this part. May be given more than once.
    #[arg(long, value_enum)]
    only: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Run the HTTP interface.
    Http,
    /// Publish the log.
    Relay,
    /// Apply the log to the projections.
    Projectors,
}

impl Arguments {
    fn roles(&self) -> Roles {
        let does = |part| self.only.is_empty() || self.only.contains(&part);
        Roles { http: does(Part::Http), relay: does(Part::Relay), projectors: does(Part::Projectors) }
    }
}

pub(super) async fn run(settings: Settings, arguments: Arguments) -> Result<(), Failure> {
    let (roles, format) = (arguments.roles(), settings.log_format);
    // Before anything answers, so that a signal that comes early ends the server as later ones do.
    let mut signals = Signals::install()?;
    let app = tokio::select! {
        app = App::connect(settings) => app?,
        () = signals.next() => return Ok(()),
    };
    announce::starts(&app.settings, roles);
    let outdated = app.commands.store().outdated();
    let mut server = Server::start(app, roles)?;
    match format {
        LogFormat::Text => print(&announce::serving_text(&server))?,
        LogFormat::Json => announce::serving(&server, roles),
    }
    let stopped = signals.until_stopped(outdated).await;
    if let Ok(Signal::Terminate) = stopped {
        match format {
            LogFormat::Text => print("stopping: requests are served until the load balancer has noticed")?,
            LogFormat::Json => announce::leaving(),
        }
        server.leave(signals.next()).await;
    }
    match format {
        LogFormat::Text => print("stopping")?,
        LogFormat::Json => announce::stopping(),
    }
    server.stop().await;
    stopped.map(drop)
}

/// Returns at Ctrl-C or SIGTERM. Fails if a later release has claimed the database.
pub(super) async fn until_stopped(outdated: Receiver<Option<Arc<Outdated>>>) -> Result<(), Failure> {
    Signals::install()?.until_stopped(outdated).await.map(drop)
}

/// A signal to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    /// SIGTERM, from a service manager.
    Terminate,
    /// Ctrl-C, from a person who waits.
    Interrupt,
}

/// The signals to stop.
struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Signals {
    fn install() -> Result<Self, Failure> {
        let terminate = signal(SignalKind::terminate()).context("the signal handler for SIGTERM cannot be installed")?;
        let interrupt = signal(SignalKind::interrupt()).context("the signal handler for Ctrl-C cannot be installed")?;
        Ok(Self { terminate, interrupt })
    }

    /// Returns at the next signal. Fails if a later release has claimed the database.
    async fn until_stopped(&mut self, mut outdated: Receiver<Option<Arc<Outdated>>>) -> Result<Signal, Failure> {
        let outdated = async {
            match outdated.wait_for(Option::is_some).await.map(|found| found.clone()) {
                Ok(Some(outdated)) => outdated,
                // The event store has stopped, so it finds nothing more.
                _ => pending().await,
            }
        };
        tokio::select! {
            signal = self.received() => Ok(signal),
            outdated = outdated => Err(StartError::Outdated(outdated).into()),
        }
    }

    /// Returns at the next signal of either kind.
    async fn next(&mut self) {
        self.received().await;
    }

    async fn received(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Interrupt,
        }
    }
}
