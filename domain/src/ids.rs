//! Identifiers: newtypes over UUID, so that a channel's identifier cannot be passed as a workspace's.
//!
//! Not here: new random identifiers, which the write side makes. Every function here depends only on its arguments.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Uuid {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    };
}

id!(
    /// A person, across all workspaces.
    UserId
);
id!(
    /// A workspace.
    WorkspaceId
);
id!(
    /// A channel, a direct conversation or a group conversation.
    ChannelId
);
id!(
    /// A message. It is a UUIDv7 of the moment at which the message was sent, so the identifier gives the message's
    /// month, and with it the partition.
    MessageId
);
id!(
    /// An invitation to a workspace.
    InvitationId
);
id!(
    /// A user's membership of a workspace.
    MemberId
);
id!(
    /// A user's membership of a channel.
    MembershipId
);
id!(
    /// A session of a signed-in user.
    SessionId
);
id!(
    /// An event (UUIDv7).
    EventId
);
id!(
    /// A legal hold.
    HoldId
);
id!(
    /// The messages of one month of a channel that the retention policy has removed.
    RetentionId
);
id!(
    /// The identifier of a log. A position belongs to one log: a recovery to an earlier moment begins another log, in
    /// which the same positions are given to other events.
    LogId
);

impl UserId {
    /// The actor of commands that no user runs: those of the command line, of an import, or of a process.
    pub const SYSTEM: UserId = UserId(Uuid::nil());
}

impl MemberId {
    /// The membership of `user` in `workspace`. It is always the same, so a user who joins again keeps one row.
    #[must_use]
    pub fn of(workspace: WorkspaceId, user: UserId) -> Self {
        Self(Uuid::new_v5(&workspace.0, user.0.as_bytes()))
    }
}

impl MembershipId {
    /// The membership of `user` in `channel`. It is always the same, so a user who joins again keeps one row.
    #[must_use]
    pub fn of(channel: ChannelId, user: UserId) -> Self {
        Self(Uuid::new_v5(&channel.0, user.0.as_bytes()))
    }
}

impl RetentionId {
    /// The identifier for the messages of a channel that were sent in the month (in UTC) of `sent_at`. It is always the
    /// same.
    #[must_use]
    pub fn of(channel: ChannelId, sent_at: DateTime<Utc>) -> Self {
        let month = format!("{:04}-{:02}", sent_at.year(), sent_at.month());
        Self(Uuid::new_v5(&channel.0, month.as_bytes()))
    }
}

impl MessageId {
    /// The identifier of a message sent at `sent_at`, made unique by `unique` (RFC 9562, version 7).
    #[must_use]
    pub fn at(sent_at: DateTime<Utc>, unique: [u8; 10]) -> Self {
        let millis = u64::try_from(sent_at.timestamp_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &unique).into_uuid())
    }

    /// The millisecond in which the message was sent. `None` if the identifier does not have version 7.
    #[must_use]
    pub fn sent_in(&self) -> Option<DateTime<Utc>> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
    }

    /// How far the message's moment may be from the time in its identifier: the two are taken by two clocks, or before
    /// and after a wait for the log.
    pub const DRAWN_WITHIN: TimeDelta = TimeDelta::minutes(10);

    /// The identifier of a message whose time in another system is no guide to its moment here, made unique by `unique`
    /// (RFC 9562, version 8). A lookup searches all months for it.
    #[must_use]
    pub fn without_moment(unique: [u8; 16]) -> Self {
        Self(uuid::Builder::from_custom_bytes(unique).into_uuid())
    }

    /// The first and the last time that the message's moment can be. A lookup searches only the months of this window.
    #[must_use]
    pub fn window(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        let (earliest, latest) = (DateTime::UNIX_EPOCH, Self::LATEST);
        match self.sent_in() {
            // A millisecond more, because the identifier has no microseconds.
            Some(at) => ((at - Self::DRAWN_WITHIN).max(earliest), (at + Self::DRAWN_WITHIN + TimeDelta::milliseconds(1)).min(latest)),
            None => (earliest, latest),
        }
    }

    /// Whether a lookup finds the message at this moment.
    #[must_use]
    pub fn allows(&self, moment: DateTime<Utc>) -> bool {
        let (earliest, latest) = self.window();
        (earliest..=latest).contains(&moment)
    }

    /// The end of the year 9999. The time in an identifier can be later, and no row can.
    const LATEST: DateTime<Utc> = match DateTime::from_timestamp(253_402_300_799, 0) {
        Some(at) => at,
        None => DateTime::UNIX_EPOCH,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_gives_the_millisecond_of_sending() {
        let sent_at = "2016-02-07T10:30:00.123456Z".parse::<DateTime<Utc>>().expect("a time");
        let id = MessageId::at(sent_at, [7; 10]);
        assert_eq!(id.0.get_version_num(), 7);
        assert_eq!(id.sent_in().map(|at| at.timestamp_millis()), Some(sent_at.timestamp_millis()));
    }

    #[test]
    fn an_id_of_another_version_gives_no_time() {
        assert_eq!(MessageId(Uuid::nil()).sent_in(), None);
    }

    #[test]
    fn a_message_id_allows_the_moments_within_ten_minutes_of_its_own_time() {
        let at = "2026-11-30T23:59:59.999999Z".parse::<DateTime<Utc>>().expect("a time");
        let id = MessageId::at(at, [7; 10]);
        for apart in [TimeDelta::zero(), TimeDelta::minutes(10), -TimeDelta::minutes(10)] {
            assert!(id.allows(at + apart), "{apart}");
        }
        assert!(!id.allows(at + TimeDelta::minutes(11)) && !id.allows(at - TimeDelta::minutes(11)));
        let (earliest, latest) = id.window();
        assert_eq!((earliest.month(), latest.month()), (11, 12));
        let without = MessageId::without_moment([7; 16]);
        assert_eq!(without.0.get_version_num(), 8);
        assert!(without.allows(at) && without.allows(DateTime::UNIX_EPOCH));
        let (_, latest) = MessageId(Uuid::from_u128(0xffff_ffff_ffff_7fff_bfff_ffff_ffff_ffff)).window();
        assert_eq!(latest, MessageId::LATEST);
    }
}
