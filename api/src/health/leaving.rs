//! A process that is about to stop says so before it closes its socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether this process is about to stop: it still answers, but wants no more work. Clones share the state.
#[derive(Clone, Debug, Default)]
pub struct Leaving(Arc<AtomicBool>);

impl Leaving {
    /// From now on the process is about to stop.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the process is about to stop.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
