//! `backscroll serve`

use std::sync::Arc;

use anyhow::Context;
use clap::{Args, ValueEnum};
use stores::release::Outdated;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch::Receiver;

use super::{Failure, print};
use crate::app::{App, Roles, Server, StartError};
use crate::config::Settings;

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
    let app = App::connect(settings).await?;
    let outdated = app.commands.store().outdated();
    let server = Server::start(app, arguments.roles())?;
    let operators = server.operators_address().map_or_else(String::new, |address| format!(", for operators at http://{address}"));
    match server.address() {
        Some(_) => {
            print(&format!("serving at {url}, documented at {url}/docs/{operators}", url = server.public_url()))?;
        }
        None => print(&format!("running without HTTP{operators}"))?,
    }
    let stopped = until_stopped(outdated).await;
    print("stopping")?;
    server.stop().await;
    stopped
}

/// Returns at Ctrl-C or SIGTERM. Fails if a later release has claimed the database.
pub(super) async fn until_stopped(mut outdated: Receiver<Option<Arc<Outdated>>>) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).context("the signal handler for SIGTERM cannot be installed")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("the signal handler for Ctrl-C cannot be installed")?,
        _ = terminate.recv() => {}
        found = outdated.wait_for(Option::is_some) => {
            if let Some(outdated) = found.ok().and_then(|found| found.clone()) {
                return Err(StartError::Outdated(outdated).into());
            }
        }
    }
    Ok(())
}
