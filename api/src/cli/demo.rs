//! `backscroll demo`: the server that `make run` starts. A second run uses the workspace and the owner of the first.

mod run_file;
mod setup;

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use self::run_file::RunFile;
use self::setup::Setup;
use super::progress::Meter;
use super::serve::until_stopped;
use super::{Exit, Failure, import, migrate, print};
use crate::app::{App, Roles, Server};
use crate::config::Settings;

/// The sample export of this repository.
const SAMPLE: &str = "tests/fixtures/sample-export.zip";
/// The name of the demo's log in its signed heads, if the settings name none.
const PROOF_ORIGIN: &str = "backscroll.localhost/v1/proof";
/// The time between two reads of the read model's position.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The longest time that the read model may make no progress. Then the demo starts without waiting further.
const STANDSTILL_MAX: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The Slack export to import first. The default is the sample.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// The folder for backscroll.json. This file has the printed values, for scripts.
    #[arg(long, value_name = "FOLDER", default_value = ".run")]
    run_folder: PathBuf,
}

pub(super) async fn run(mut settings: Settings, arguments: Arguments) -> Result<(), Failure> {
    let migrated = migrate::apply(&settings).await?;
    print(&format!("database: {} migrations applied now", migrated.applied.len()))?;
    settings.proof.name_unless_named(PROOF_ORIGIN, settings.public_url.as_deref());
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
    let run_file = RunFile::at(&arguments.run_folder);
    let setup = setup::set_up(server.app(), run_file.read()).await?;
    print(&setup.summary())?;
    tokio::select! {
        filled = fill(server, arguments, &setup) => filled?,
        stopped = until_stopped(outdated()) => return stopped,
    }
    run_file.write(server, &setup)?;
    print(&run_file::instructions(server, &setup))?;
    until_stopped(outdated()).await
}

async fn fill(server: &Server, arguments: &Arguments, setup: &Setup) -> Result<(), Failure> {
    let app = server.app();
    let file = arguments.export.clone().unwrap_or_else(|| SAMPLE.into());
    if arguments.export.is_none() && !file.exists() {
        print(&format!("{SAMPLE} does not exist: nothing is imported"))?;
    } else {
        print(&format!("importing {}", file.display()))?;
        let report = import::slack(app.commands.store(), &file, setup.workspace_id, setup.owner_id).await?;
        print(&report.to_string())?;
    }
    wait_for_read_model(app).await
}

/// Waits until the imported messages can be read.
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

/// The address of the settings. If it is in use, another port of the same host.
fn free_address(listen: SocketAddr) -> Result<SocketAddr, Failure> {
    match TcpListener::bind(listen) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            print(&format!("{listen} is in use: taking another port"))?;
            Ok(SocketAddr::new(listen.ip(), 0))
        }
        _ => Ok(listen),
    }
}
