//! `backscroll demo`: what `make run` shows. A second run finds what the first one made.

mod furnish;
mod handout;

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use self::furnish::Furnished;
use self::handout::Handout;
use super::progress::Meter;
use super::serve::until_stopped;
use super::{Exit, Failure, import, migrate, print};
use crate::app::{App, Roles, Server};
use crate::config::Settings;

/// The export that the project ships.
const SAMPLE: &str = "tests/fixtures/sample-export.zip";
/// How often it is looked how far the read model is.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How long the read model may stand still before we go on without it.
const STANDSTILL_MAX: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The Slack export to import first, in place of the sample.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// The folder for backscroll.json, which holds what is printed, for scripts.
    #[arg(long, value_name = "FOLDER", default_value = ".run")]
    run_folder: PathBuf,
}

pub(super) async fn run(mut settings: Settings, arguments: Arguments) -> Result<(), Failure> {
    let applied = migrate::apply(&settings).await?;
    print(&format!("database: {} migrations applied now", applied.len()))?;
    settings.listen = free_address(settings.listen)?;
    settings.operators_listen = settings.operators_listen.map(free_address).transpose()?;
    let server = Server::start(App::connect(settings).await?, Roles::ALL)?;
    let outcome = show(&server, &arguments).await;
    print("stopping")?;
    server.stop().await;
    outcome
}

async fn show(server: &Server, arguments: &Arguments) -> Result<(), Failure> {
    let outdated = || server.app().commands.store().outdated();
    let handout = Handout::at(&arguments.run_folder);
    let furnished = furnish::furnish(server.app(), handout.read()).await?;
    print(&furnished.summary())?;
    tokio::select! {
        filled = fill(server, arguments, &furnished) => filled?,
        stopped = until_stopped(outdated()) => return stopped,
    }
    handout.write(server, &furnished)?;
    print(&handout::instructions(server, &furnished))?;
    until_stopped(outdated()).await
}

async fn fill(server: &Server, arguments: &Arguments, furnished: &Furnished) -> Result<(), Failure> {
    let app = server.app();
    let file = arguments.export.clone().unwrap_or_else(|| SAMPLE.into());
    if arguments.export.is_none() && !file.exists() {
        print(&format!("there is no {SAMPLE} here: nothing is imported"))?;
    } else {
        print(&format!("importing {}", file.display()))?;
        let report = import::slack(app.commands.store(), &file, furnished.workspace_id, furnished.owner_id).await?;
        print(&report.to_string())?;
    }
    wait_for_read_model(app).await
}

/// Waits until what was imported can be read.
async fn wait_for_read_model(app: &App) -> Result<(), Failure> {
    let (began_at, meter) = (Instant::now(), Meter::new("events"));
    let head = *app.commands.store().head().borrow();
    let from = position(app).await?;
    let (mut position, mut moved_at) = (from, Instant::now());
    while position < head && moved_at.elapsed() < STANDSTILL_MAX {
        meter.at("projecting", count(position - from), count(head - from), "");
        tokio::time::sleep(POLL_INTERVAL).await;
        let now = self::position(app).await?;
        if now > position {
            (position, moved_at) = (now, Instant::now());
        }
    }
    meter.finish();
    let seconds = began_at.elapsed().as_secs_f64();
    print(&format!("read models: at position {position} of {head}, {} events projected in the last {seconds:.1} s", position - from))
}

async fn position(app: &App) -> Result<i64, Failure> {
    app.progress.position(projections::RELATIONAL).await.map_err(|error| Failure::new(Exit::Unreachable, error))
}

fn count(events: i64) -> u64 {
    u64::try_from(events).unwrap_or(0)
}

/// The address of the settings; where somebody else is there, another port of the same host.
fn free_address(listen: SocketAddr) -> Result<SocketAddr, Failure> {
    match TcpListener::bind(listen) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            print(&format!("{listen} is in use: taking another port"))?;
            Ok(SocketAddr::new(listen.ip(), 0))
        }
        _ => Ok(listen),
    }
}
