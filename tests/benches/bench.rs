//! `make bench`: speed, as ratios to references. A figure and its reference are measured in the same run, in turns, so
//! that the ratios hold on a noisy machine.
//!
//! `make bench ROW=http` measures only the rows whose names begin with `http`; the other rows keep their last figures.
//! `TRY=1` is a short trial of everything, which writes no files.
//!
//! | module | content |
//! |---|---|
//! | `rows` | one file for each row of the table |
//! | `load`, `client` | callers over HTTP: as fast as they can, or at a fixed rate |
//! | `listeners` | clients with WebSockets |
//! | `appenders`, `command_path`, `filled_log` | calls without HTTP, which several rows use |
//! | `place`, `served`, `furnish`, `posters` | separate stores; the real binary; users and messages; users that post |
//! | `runs`, `report` | the figures of five runs, and the lines of the table |
//! | `book`, `page`, `machine` | the stored figures, their page, and the machine |

#![expect(clippy::expect_used, clippy::panic, reason = "a benchmark that cannot be set up has failed")]

mod appenders;
mod book;
mod client;
mod command_path;
mod filled_log;
mod furnish;
mod listeners;
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

/// The server's allocator, so that measured code and references in this process allocate as the server does.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    // Cargo passes `--bench` as well.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be waited for");
    // Everything that a row has started ends with the row, even if the row is interrupted.
    tokio::select! {
        outcome = rows::run(&wanted) => outcome,
        _ = tokio::signal::ctrl_c() => ExitCode::from(130),
        _ = terminate.recv() => ExitCode::from(143),
    }
}
