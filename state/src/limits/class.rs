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
    /// What those ask who are not signed in: counted by address.
    SignIn,
    /// Attempts at the password of one account, from wherever they come; from each device that it knows apart. Those that succeed do not count.
    SignInAccount,
    /// Signing out: apart, so that no flood of others keeps anybody signed in.
    SignOut,
    /// Tokens that are nobody's: counted by address.
    WrongToken,
}

impl Class {
    /// Every class.
    pub const ALL: [Class; 9] = [
        Class::Read,
        Class::Write,
        Class::Search,
        Class::Signal,
        Class::Message,
        Class::SignIn,
        Class::SignInAccount,
        Class::SignOut,
        Class::WrongToken,
    ];

    /// Whether how much there may be depends on the person's plan: not where nobody is signed in.
    #[must_use]
    pub fn depends_on_plan(self) -> bool {
        !matches!(self, Class::SignIn | Class::SignInAccount | Class::SignOut | Class::WrongToken)
    }

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
            Class::SignInAccount => "sign_in_account",
            Class::SignOut => "sign_out",
            Class::WrongToken => "wrong_token",
        }
    }
}
