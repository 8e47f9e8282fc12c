//! Why the server closes a connection. From 4000 to 4099, the client comes back with its cursor. From 4100 to 4199, it
//! does not come back by itself. (RFC 6455, 7.4.2, leaves 4000 to 4999 to applications.)

/// Why the server closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The client reads too slowly.
    TooSlow,
    /// The server is about to stop.
    ServerDrains,
    /// The server does not get the new events.
    FeedLost,
    /// The client does not answer pings.
    Silent,
    /// The session has ended: the user signed out, changed the password, or did not use it for too long.
    SessionEnded,
    /// The user was suspended.
    Suspended,
    /// The user was erased.
    Erased,
    /// The user, or the address, has too many connections.
    TooManyConnections,
    /// The client breaks the protocol: it sends binary messages, texts that are not JSON, or too many frames.
    ProtocolError,
}

impl Close {
    /// All reasons, in the order of their codes.
    pub const ALL: [Self; 9] = [
        Self::TooSlow,
        Self::ServerDrains,
        Self::FeedLost,
        Self::Silent,
        Self::SessionEnded,
        Self::Suspended,
        Self::Erased,
        Self::TooManyConnections,
        Self::ProtocolError,
    ];

    /// The close code.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::TooSlow => 4001,
            Self::ServerDrains => 4002,
            Self::FeedLost => 4003,
            Self::Silent => 4004,
            Self::SessionEnded => 4101,
            Self::Suspended => 4102,
            Self::Erased => 4103,
            Self::TooManyConnections => 4104,
            Self::ProtocolError => 4105,
        }
    }

    /// The reason, in words.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::TooSlow => "too slow: come back with the cursor",
            Self::ServerDrains => "the server stops: come back with the cursor",
            Self::FeedLost => "the server gets no new events: come back with the cursor",
            Self::Silent => "no answer to pings: come back with the cursor",
            Self::SessionEnded => "the session has ended: sign in again",
            Self::Suspended => "the account is suspended",
            Self::Erased => "the account was erased",
            Self::TooManyConnections => "too many connections",
            Self::ProtocolError => "the client breaks the protocol",
        }
    }

    /// Whether the session or the account has ended.
    #[must_use]
    pub(crate) fn is_of_the_user(self) -> bool {
        matches!(self, Self::SessionEnded | Self::Suspended | Self::Erased)
    }

    /// Whether frames that wait are sent before the connection is closed.
    #[must_use]
    pub(crate) fn sends_the_rest(self) -> bool {
        matches!(self, Self::ServerDrains)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_increase_and_reasons_fit_into_a_close_frame() {
        assert!(Close::ALL.is_sorted_by_key(|close| close.code()));
        // RFC 6455, 5.5: 125 bytes, of which the code takes two.
        assert!(Close::ALL.iter().all(|close| close.reason().len() <= 123));
    }
}
