//! The classes of requests.

/// A class of requests, each with windows of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Queries.
    Read,
    /// Commands.
    Write,
    /// Queries that look through everything.
    Search,
    /// Heartbeats: that one is there, and that one types. They come without anybody doing something.
    Signal,
    /// Posting. It counts as a write, and once more in the channel that is posted to.
    Message,
    /// What those ask who are not signed in, or want to be so no longer: counted by address.
    SignIn,
}

impl Class {
    /// Every class.
    pub const ALL: [Class; 6] = [Class::Read, Class::Write, Class::Search, Class::Signal, Class::Message, Class::SignIn];

    /// Its name: in settings, headers, and problems.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Read => "read",
            Class::Write => "write",
            Class::Search => "search",
            Class::Signal => "signal",
            Class::Message => "message",
            Class::SignIn => "sign_in",
        }
    }
}
