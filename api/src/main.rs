//! The binary: parses the command line and runs it.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Threads here pass work to each other all the time. They wait less for mimalloc than for glibc's allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // Set at compile time by scripts/run.sh and by builds of releases. Only this small crate is compiled again for it.
    api::cli::run(option_env!("BACKSCROLL_COMMIT"))
}
