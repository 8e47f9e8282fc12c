//! Every "no" to a command of the installation.

use crate::refusal::refusals;

refusals! {
    /// Every "no" to a command of the installation.
    InstallationRefusal {
        ReplayNotRunning = "installation.replay_not_running" Conflict "this replay has ended already, or never began",
    }
}
