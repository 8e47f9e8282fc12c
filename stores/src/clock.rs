//! The clock of a process.

use chrono::{DateTime, TimeDelta, Utc};

/// The clock of a process. Tests let the clocks of two processes differ, as the clocks of two machines do.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    ahead: TimeDelta,
}

impl Clock {
    /// The clock of the machine.
    pub const SYSTEM: Self = Self { ahead: TimeDelta::zero() };

    /// A clock that is ahead of the machine's by this time, or behind it if the time is negative.
    #[must_use]
    pub fn ahead_by(ahead: TimeDelta) -> Self {
        Self { ahead }
    }

    /// The current time.
    #[must_use]
    pub fn now(self) -> DateTime<Utc> {
        Utc::now() + self.ahead
    }
}
