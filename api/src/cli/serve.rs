//! `backscroll serve`

use anyhow::Context;
use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, print};
use crate::app::{App, Roles, Server};
use crate::config::Settings;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Do only this; may be given more than once.
    #[arg(long, value_enum)]
    only: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Serve HTTP.
    Http,
    /// Publish the log.
    Relay,
    /// Keep the projections up with the log.
    Projectors,
}

impl Arguments {
    fn roles(&self) -> Roles {
        let does = |part| self.only.is_empty() || self.only.contains(&part);
        Roles { http: does(Part::Http), relay: does(Part::Relay), projectors: does(Part::Projectors) }
    }
}

pub(super) async fn run(settings: Settings, arguments: Arguments) -> Result<(), Failure> {
    let server = Server::start(App::connect(settings).await?, arguments.roles())?;
    match server.address() {
        Some(_) => print(&format!("serving at {url}, documented at {url}/docs/", url = server.public_url()))?,
        None => print("running without HTTP")?,
    }
    until_told_to_stop().await?;
    print("stopping")?;
    server.stop().await;
    Ok(())
}

/// Returns at Ctrl-C or SIGTERM.
pub(super) async fn until_told_to_stop() -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be waited for")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("Ctrl-C cannot be waited for")?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
