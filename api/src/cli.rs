//! The command line: one file per command. A command parses its arguments, calls the other crates, and prints. Long
//! work shows its progress.

mod announce;
mod audit;
mod connection;
mod demo;
mod import;
mod keys;
mod log;
mod migrate;
mod pages;
mod parked;
mod place;
mod progress;
mod projections;
mod replay;
mod restore;
mod retention;
mod serve;
mod users;
mod workspaces;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use commands::CommandError;
use domain::text::InvalidText;
use identity::AuthError;
use stores::diagnosis::Fault;

use crate::app::StartError;
use crate::config::{self, ConfigError, LogFormat, Settings};
use crate::{openapi, telemetry};

/// The exit code of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    /// Something failed.
    Failed = 1,
    /// The command line or the settings are invalid.
    Wrong = 2,
    /// A server that the command needs cannot be reached.
    Unreachable = 3,
    /// The server refused the request.
    Refused = 4,
}

const EXIT_CODES: &str = "Exit codes:
  0  success
  1  failure
  2  the command line or the settings are invalid
  3  a server that the command needs cannot be reached
  4  refused: for example an export that cannot be imported, a replay that found differences, or a database of a later release";

/// Self-hosted team chat. It stores each change as an event.
#[derive(Debug, Parser)]
#[command(name = "backscroll", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Arguments {
    /// A TOML file with settings. Environment variables override it. `backscroll settings` lists the settings.
    #[arg(long, global = true, env = "BACKSCROLL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the server until Ctrl-C or SIGTERM.
    Serve(serve::Arguments),
    /// Update the Postgres schema to this release.
    Migrate,
    /// Import conversations from another product.
    #[command(subcommand)]
    Import(import::Verb),
    /// Rebuild a projection from the log, compare it with the live one, and switch to it.
    #[command(subcommand)]
    Replay(replay::Verb),
    /// Show the positions of the projections, and the events that they could not apply.
    Projections,
    /// List, retry or skip events that a projection could not apply.
    #[command(subcommand)]
    Parked(parked::Verb),
    /// Export, check or restore closed months of the log.
    #[command(subcommand)]
    Log(log::Verb),
    /// Check a database that was restored from a backup.
    #[command(subcommand)]
    Restore(restore::Verb),
    /// Archive or purge messages that are old enough.
    #[command(subcommand)]
    Retention(retention::Verb),
    /// Manage the keys that encrypt personal data.
    #[command(subcommand)]
    Keys(keys::Verb),
    /// Read, export and verify the audit.
    #[command(subcommand)]
    Audit(audit::Verb),
    /// Manage the users of this server.
    #[command(subcommand)]
    Users(users::Verb),
    /// Manage the workspaces of this server.
    #[command(subcommand)]
    Workspaces(workspaces::Verb),
    /// Run a demo server: create its workspace if needed, import an export, and print how to use it.
    Demo(demo::Arguments),
    /// Print the OpenAPI document as JSON.
    Openapi,
    /// Print the list of events as Markdown.
    Events,
    /// Print the tables of frames in docs/LIVE.md.
    Frames,
    /// Print the list of settings as Markdown.
    Settings,
}

/// A failure, and its exit code.
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
        let exit = match error.fault() {
            Some(Fault::Setting) => Exit::Wrong,
            Some(Fault::Unreachable) => Exit::Unreachable,
            Some(Fault::Refused) => Exit::Refused,
            None => Exit::Failed,
        };
        match error {
            // Its text has the cause already.
            StartError::Listen { .. } => Self::new(exit, anyhow::anyhow!("{error}")),
            error => Self::new(exit, error),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::new(Exit::Unreachable, error)
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        let exit = match &error {
            CommandError::Refused(_) | CommandError::KeyReused => Exit::Refused,
            CommandError::Contended => Exit::Failed,
            CommandError::Unavailable(_) => Exit::Unreachable,
        };
        Self::new(exit, error)
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        let exit = match error {
            AuthError::Log(error) => return error.into(),
            AuthError::Password(_) => Exit::Refused,
            AuthError::State(_) => Exit::Unreachable,
            _ => Exit::Failed,
        };
        Self::new(exit, error)
    }
}

impl From<InvalidText> for Failure {
    fn from(error: InvalidText) -> Self {
        Self::new(Exit::Wrong, error)
    }
}

/// Runs the command that this process was started with. `commit` is the commit that the program was built from.
#[must_use]
pub fn run(commit: Option<&'static str>) -> ExitCode {
    stores::release::set_commit(commit);
    let matches = Arguments::command().version(version()).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let config = arguments.config.clone();
    match dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(config.as_deref(), &failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// The version and the commit of this program.
fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(stores::release::described)
}

/// Says why the command failed, in the format of the log lines.
fn report(config: Option<&Path>, Failure { exit, error }: &Failure) {
    match Settings::log_format(config) {
        LogFormat::Text => eprintln!("backscroll: {error:#}"),
        LogFormat::Json => {
            // If the settings are wrong, nothing has started to log yet.
            telemetry::start("info", LogFormat::Json);
            tracing::error!(target: telemetry::PROCESS, exit_code = *exit as u8, error = format!("{error:#}"), "failed");
        }
    }
}

fn dispatch(arguments: Arguments) -> Result<(), Failure> {
    let settings = || -> Result<Settings, Failure> {
        let settings = Settings::load(arguments.config.as_deref())?;
        telemetry::start(&settings.log_level, settings.log_format);
        Ok(settings)
    };
    match arguments.verb {
        Verb::Openapi => print(&openapi::document().text),
        Verb::Events => print(&domain::catalogue::events_markdown()),
        Verb::Frames => print(&live::catalogue::frames_markdown()),
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
        Verb::Restore(verb) => on_runtime(restore::run(settings()?, verb)),
        Verb::Retention(verb) => on_runtime(retention::run(settings()?, verb)),
        Verb::Keys(verb) => on_runtime(keys::run(settings()?, verb)),
        Verb::Users(verb) => on_runtime(users::run(settings()?, verb)),
        Verb::Workspaces(verb) => on_runtime(workspaces::run(settings()?, verb)),
        Verb::Audit(verb) => match audit::without_server(&verb) {
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

/// Prints a text. A closed pipe is not a failure: the reader may stop early.
fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write;
    match writeln!(std::io::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
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
