//! The refusals of installation commands.

use crate::refusal::refusals;

refusals! {
    /// The refusals of installation commands.
    InstallationRefusal {
        ReplayNotRunning = "installation.replay_not_running" Conflict "this replay has ended already, or never started",
    }
}
