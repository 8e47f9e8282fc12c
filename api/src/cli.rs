//! The command line: one verb a file. It parses, calls, and prints; long work shows how far it is.

mod audit;
mod connection;
mod demo;
mod import;
mod keys;
mod log;
mod migrate;
mod parked;
mod place;
mod progress;
mod projections;
mod replay;
mod retention;
mod serve;
mod users;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::app::StartError;
use crate::config::{self, ConfigError, Settings};
use crate::{openapi, telemetry};

/// What a failure means to whoever called us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    /// Something failed.
    Failed = 1,
    /// The command line or the settings are wrong.
    Wrong = 2,
    /// A server that is needed cannot be reached.
    Unreachable = 3,
    /// What was asked for is refused.
    Refused = 4,
}

const EXIT_CODES: &str = "Exit codes:
  0  it was done
  1  it failed
  2  the command line or the settings are wrong
  3  a server that is needed cannot be reached
  4  it was refused: an export that cannot be imported, a replay that found differences, a database of a later release";

/// Self-hosted team chat in which everything that happens is an event.
#[derive(Debug, Parser)]
#[command(name = "backscroll", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Arguments {
    /// A TOML file with settings; the environment wins over it. `backscroll settings` lists them.
    #[arg(long, global = true, env = "BACKSCROLL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve, until Ctrl-C or SIGTERM.
    Serve(serve::Arguments),
    /// Bring the schema of Postgres up to this release.
    Migrate,
    /// Bring conversations in from elsewhere.
    #[command(subcommand)]
    Import(import::Verb),
    /// Build a projection anew from the log, prove it equal, and switch to it.
    #[command(subcommand)]
    Replay(replay::Verb),
    /// Show where the projections are, and what they could not apply.
    Projections,
    /// Do something about what a projection could not apply.
    #[command(subcommand)]
    Parked(parked::Verb),
    /// Closed months of the log as files.
    #[command(subcommand)]
    Log(log::Verb),
    /// What leaves its channel because it is old enough.
    #[command(subcommand)]
    Retention(retention::Verb),
    /// Look after the keys that seal what is personal.
    #[command(subcommand)]
    Keys(keys::Verb),
    /// Read the log.
    #[command(subcommand)]
    Audit(audit::Verb),
    /// Look after the users of this server.
    #[command(subcommand)]
    Users(users::Verb),
    /// Serve a workspace to look at: create it where it is not there, import an export, and print how to use it.
    Demo(demo::Arguments),
    /// Print the OpenAPI document.
    Openapi,
    /// Print the events, as Markdown.
    Events,
    /// Print the settings, as Markdown.
    Settings,
}

/// A failure, and what it means to whoever called us.
struct Failure {
    exit: Exit,
    error: anyhow::Error,
}

impl Failure {
    fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into() }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self { exit: Exit::Failed, error }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Wrong, error)
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let exit = match &error {
            StartError::Outdated(_) => Exit::Refused,
            error if error.is_unreachable() => Exit::Unreachable,
            _ => Exit::Failed,
        };
        Self::new(exit, error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::new(Exit::Unreachable, error)
    }
}

/// Runs what the command line of this process asks for.
#[must_use]
pub fn run() -> ExitCode {
    match dispatch(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("backscroll: {:#}", failure.error);
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn dispatch(arguments: Arguments) -> Result<(), Failure> {
    let settings = || -> Result<Settings, Failure> {
        let settings = Settings::load(arguments.config.as_deref())?;
        telemetry::start(&settings);
        Ok(settings)
    };
    match arguments.verb {
        Verb::Openapi => print(&openapi::document().text),
        Verb::Events => print(&domain::catalogue::events_markdown()),
        Verb::Settings => print(&config::as_markdown()),
        Verb::Serve(arguments) => on_runtime(serve::run(settings()?, arguments)),
        Verb::Migrate => on_runtime(migrate::run(settings()?)),
        Verb::Import(verb) => on_runtime(import::run(settings()?, verb)),
        Verb::Replay(verb) => on_runtime(replay::run(settings()?, verb)),
        Verb::Projections => on_runtime(projections::run(settings()?)),
        Verb::Parked(verb) => on_runtime(parked::run(settings()?, verb)),
        Verb::Log(log::Verb::VerifyExport { manifests, keys }) => {
            on_runtime(log::verify::run(|| Ok(config::object_store::load(arguments.config.as_deref())?), &manifests, &keys))
        }
        Verb::Log(verb) => on_runtime(log::run(settings()?, verb)),
        Verb::Retention(verb) => on_runtime(retention::run(settings()?, verb)),
        Verb::Keys(verb) => on_runtime(keys::run(settings()?, verb)),
        Verb::Users(verb) => on_runtime(users::run(settings()?, verb)),
        Verb::Audit(verb) => match audit::runs_alone(&verb) {
            Some(outcome) => outcome,
            None => on_runtime(audit::run(settings()?, verb)),
        },
        Verb::Demo(arguments) => on_runtime(demo::run(settings()?, arguments)),
    }
}

fn on_runtime(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(work)
}

/// Whoever reads us may stop reading: that is no failure.
fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write;
    match writeln!(std::io::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_exit_codes_are_in_the_help() {
        for exit in [Exit::Failed, Exit::Wrong, Exit::Unreachable, Exit::Refused] {
            assert!(EXIT_CODES.contains(&format!("\n  {}  ", exit as u8)), "{exit:?}");
        }
    }
}
