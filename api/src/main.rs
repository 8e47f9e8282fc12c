//! The binary: parses the command line and runs it.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Two threads that hand work to each other all day wait less for it than for the allocator of glibc.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    api::cli::run()
}
