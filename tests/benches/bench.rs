//! `make bench`: speed, as ratios to references that are measured in the same run, turn about, so that they hold on a noisy machine.
//!
//! `make bench ROW=http` runs the rows whose names begin so; the figures of the others stay as they were last measured. `TRY=1` is a
//! short trial of everything, which prints and writes nothing.
//!
//! | room | what |
//! |---|---|
//! | `rows` | one file for each row of the table |
//! | `load`, `client` | callers: as fast as they can, or at a fixed rate; over HTTP |
//! | `appenders`, `command_path`, `filled_log` | what is called without HTTP, by more rows than one |
//! | `place`, `served`, `furnish`, `posters` | a database, stream and keys of one's own; the real binary over them; people and messages in them; who post |
//! | `runs`, `report` | what five runs say, and the lines of the table |
//! | `book`, `page`, `machine` | where figures are kept, how they are shown, and on what they were measured |

#![expect(clippy::expect_used, clippy::panic, reason = "a benchmark that cannot be set up has failed")]

mod appenders;
mod book;
mod client;
mod command_path;
mod filled_log;
mod furnish;
mod load;
mod machine;
mod page;
mod posters;
mod report;
mod rows;
mod runs;
mod served;

use std::process::ExitCode;

use mimalloc::MiMalloc;
use tokio::signal::unix::{SignalKind, signal};

/// The server's: what is measured in this process allocates as it does there, and so do the references.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    // Cargo passes `--bench` of its own.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be waited for");
    // What a row has started ends with it, also where it is dropped in the middle.
    tokio::select! {
        outcome = rows::run(&wanted) => outcome,
        _ = tokio::signal::ctrl_c() => ExitCode::from(130),
        _ = terminate.recv() => ExitCode::from(143),
    }
}
