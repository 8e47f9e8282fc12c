//! The classes of requests.

/// A class of requests. Each class has windows of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Queries.
    Read,
    /// Commands.
    Write,
    /// Queries that search all data.
    Search,
    /// Heartbeats of presence and of typing. Clients send them without an action of the user.
    Signal,
    /// Posts. A post counts as a write, and also in a window of its channel.
    Message,
    /// Requests of clients that are not signed in. They are counted by address.
    SignIn,
    /// Attempts at the password of one account, from any address. Each device that the account knows is counted
    /// separately. Successful attempts do not count.
    SignInAccount,
    /// Sign-outs. They are counted separately, so that a flood of other requests cannot prevent a sign-out.
    SignOut,
    /// Requests with a token that belongs to no session. They are counted by address.
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

    /// Whether the limit depends on the user's plan. It does not for clients that are not signed in.
    #[must_use]
    pub fn depends_on_plan(self) -> bool {
        !matches!(self, Class::SignIn | Class::SignInAccount | Class::SignOut | Class::WrongToken)
    }

    /// Its name in settings, headers and problems.
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
