//! The binary: parses the command line and runs it.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Threads here often free memory that another thread allocated. mimalloc does this with less waiting than glibc's
/// allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    api::cli::run()
}
