//! The roles of a process.

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Serves HTTP.
    pub http: bool,
    /// Publishes the log while this process is the leader.
    pub relay: bool,
    /// Applies the log to the projections.
    pub projectors: bool,
}

impl Roles {
    /// All roles in one process.
    pub const ALL: Roles = Roles { http: true, relay: true, projectors: true };

    /// The names of the roles, as the command line has them.
    #[must_use]
    pub fn names(self) -> String {
        let all = [("http", self.http), ("relay", self.relay), ("projectors", self.projectors)];
        all.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}
