//! The release and the commit of this binary.

/// The release.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that it was built from, in short. `unknown` for a debug build, and for a build outside a checkout.
pub const COMMIT: &str = env!("BACKSCROLL_COMMIT");
