//! Presence: which users are online. It is the seed's `presence:{user}:{workspace}`. A heartbeat over HTTP holds for
//! five minutes, an open connection for a minute and a half after it was renewed.
//!
//! Presence is neither in the log nor in a projection. It is in Redis alone, and the next heartbeats restore it after a
//! loss of Redis. A user may have several devices. A device is a session that sends heartbeats, or an open connection, and
//! its presence expires by itself. Other users see the most present device.
//!
//! Not here: the custom status, which the user sets and which is an event, and the permission to see presence
//! (`http/presence.rs` asks the write side).

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::{SessionId, UserId, WorkspaceId};
use serde::{Deserialize, Serialize};
use stores::redis::{Redis, RedisDown, Script};
use utoipa::ToSchema;
use uuid::Uuid;

/// How long a heartbeat of a session holds.
pub const HOLDS_FOR: Duration = Duration::from_secs(300);
/// How long an open connection holds after it was renewed. It is renewed every 30 seconds (`live::RENEW_EVERY`), so one
/// renewal may be lost, and the next one may be late. If a server dies, its users are present for this long.
pub const CONNECTED_FOR: Duration = Duration::from_secs(90);
/// How long a user stays present after the last connection has closed.
pub const LINGERS_FOR: Duration = Duration::from_secs(30);
/// The most users in one query.
pub const PEOPLE_MAX: usize = 100;
/// The most devices of a user in a workspace. A further device replaces the one with the oldest heartbeat.
const DEVICES_MAX: usize = 20;

/// The status that a device reports, from least to most present. If any device reports `dnd`, the user has this status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(as = DevicePresence)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The device is connected, and the user is not active.
    Away,
    /// The user is active.
    Online,
    /// The user is active, and does not want to be disturbed.
    Dnd,
}

impl Status {
    const ALL: [Status; 3] = [Status::Away, Status::Online, Status::Dnd];

    fn as_str(self) -> &'static str {
        match self {
            Status::Away => "away",
            Status::Online => "online",
            Status::Dnd => "dnd",
        }
    }

    fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// The identifier of a device: that of a session, or that of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceId(pub Uuid);

impl From<SessionId> for DeviceId {
    fn from(session_id: SessionId) -> Self {
        Self(session_id.0)
    }
}

/// A device that is present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its status.
    pub status: Status,
    /// When it sent the status.
    pub said_at: DateTime<Utc>,
    /// The kind of device, as the client names it.
    pub device_type: String,
}

impl Device {
    /// Parses an entry of the answer of `look.lua`. Entries that another release wrote in another form are left out.
    fn read(said: &str) -> Option<Self> {
        let mut parts = said.splitn(3, ' ');
        let said_at = DateTime::from_timestamp_millis(parts.next()?.parse().ok()?)?;
        Some(Self { said_at, status: Status::of(parts.next()?)?, device_type: parts.next()?.to_owned() })
    }
}

/// Returns the most present of a user's devices, and the time of the last heartbeat of any of them.
pub fn most_present(devices: &[Device]) -> Option<(&Device, DateTime<Utc>)> {
    let first = devices.iter().max_by_key(|device| (device.status, device.said_at))?;
    let last_seen = devices.iter().map(|device| device.said_at).max()?;
    Some((first, last_seen))
}

/// The presence of users. Clones share everything.
#[derive(Clone)]
pub struct Presences {
    redis: Redis,
    heartbeat: Arc<Script>,
    look: Arc<Script>,
}

impl Presences {
    /// The presence in this Redis.
    #[must_use]
    pub fn new(redis: Redis) -> Self {
        let (heartbeat, look) = (Script::new(include_str!("heartbeat.lua")), Script::new(include_str!("look.lua")));
        Self { redis, heartbeat: Arc::new(heartbeat), look: Arc::new(look) }
    }

    /// Records a heartbeat of a user's device, which holds for some time.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn record_heartbeat(
        &self,
        (user_id, workspace_id): (UserId, WorkspaceId),
        (device, holds): (DeviceId, Duration),
        status: Status,
        device_type: &str,
    ) -> Result<(), RedisDown> {
        let mut call = self.call(user_id, workspace_id, device, holds);
        call.arg(status.as_str()).arg(device_type);
        self.redis.run(&self.heartbeat, &call).await
    }

    /// Removes a user's device.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn forget(&self, user_id: UserId, workspace_id: WorkspaceId, device: DeviceId) -> Result<(), RedisDown> {
        self.redis.run(&self.heartbeat, &self.call(user_id, workspace_id, device, HOLDS_FOR)).await
    }

    /// Returns the devices of each of the users, in the order of the users.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn of(&self, workspace_id: WorkspaceId, people: &[UserId]) -> Result<Vec<Vec<Device>>, RedisDown> {
        if people.is_empty() {
            return Ok(Vec::new());
        }
        let keys = people.iter().map(|user_id| self.key(*user_id, workspace_id)).collect::<Vec<_>>();
        let call = self.look.on_all(keys.iter().map(String::as_str));
        let said: Vec<Vec<String>> = self.redis.run(&self.look, &call).await?;
        Ok(said.iter().map(|devices| devices.iter().filter_map(|said| Device::read(said)).collect()).collect())
    }

    fn call(&self, user_id: UserId, workspace_id: WorkspaceId, device: DeviceId, holds: Duration) -> redis::Cmd {
        let mut call = self.heartbeat.on(&self.key(user_id, workspace_id));
        call.arg(device.0.to_string()).arg(holds.as_millis().to_string()).arg(DEVICES_MAX);
        call
    }

    /// The workspace is the hash tag, so a query for many users of a workspace goes to one node.
    fn key(&self, user_id: UserId, workspace_id: WorkspaceId) -> String {
        self.redis.key(&format!("presence:{user_id}:{{{workspace_id}}}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(said: &str) -> Device {
        Device::read(said).expect("a device")
    }

    #[test]
    fn the_most_present_device_wins_and_the_latest_heartbeat_of_any_device_counts() {
        let devices = ["3000 away a phone", "1000 online desktop", "2000 away tablet"].map(device);
        let (first, last_seen) = most_present(&devices).expect("somebody");
        assert_eq!((first.status, first.device_type.as_str(), last_seen.timestamp_millis()), (Status::Online, "desktop", 3000));
        let disturbed = [device("1000 online desktop"), device("1000 dnd a phone")];
        assert_eq!(most_present(&disturbed).map(|(first, _)| first.status), Some(Status::Dnd));
        assert_eq!(most_present(&[]), None);
    }

    #[test]
    fn an_entry_of_another_release_is_ignored() {
        for said in ["", "1000", "x online desktop", "1000 asleep desktop"] {
            assert_eq!(Device::read(said), None, "{said}");
        }
    }
}
