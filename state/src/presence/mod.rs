//! Who is there: the seed's `presence:{user}:{workspace}`, for five minutes from each heartbeat.
//!
//! It is not in the log, and no projection of it: it lives in Redis alone, and comes back with the next heartbeats when Redis was gone. A person may
//! have several devices, each of which is a session and ceases by itself; the most present of them is what others see. The custom status is not here: it
//! is the person's own word, and an event.
//!
//! Not here: who may see it (`http/presence.rs` asks the write side).

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::{SessionId, UserId, WorkspaceId};
use serde::{Deserialize, Serialize};
use stores::redis::{Redis, RedisDown, Script};
use utoipa::ToSchema;

/// For how long a heartbeat holds.
pub const HOLDS_FOR: Duration = Duration::from_secs(300);
/// The most people that are looked at together.
pub const PEOPLE_MAX: usize = 100;
/// The most devices of a person in a workspace; a further one takes the place of the one that was silent longest.
const DEVICES_MAX: usize = 20;

/// What a device says of its person, from least to most present. Who does not want to be disturbed has said so, on whichever device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The device is there, and nobody before it.
    Away,
    /// Somebody is there.
    Online,
    /// Somebody is there, and does not want to be disturbed.
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

/// A device that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What it says.
    pub status: Status,
    /// When it said so.
    pub said_at: DateTime<Utc>,
    /// What kind of device it is, in the client's words.
    pub device_type: String,
}

impl Device {
    /// Reads what `look.lua` answers; what another release wrote is left out.
    fn read(said: &str) -> Option<Self> {
        let mut parts = said.splitn(3, ' ');
        let said_at = DateTime::from_timestamp_millis(parts.next()?.parse().ok()?)?;
        Some(Self { said_at, status: Status::of(parts.next()?)?, device_type: parts.next()?.to_owned() })
    }
}

/// The most present of a person's devices, and when any of them was last heard of.
pub fn most_present(devices: &[Device]) -> Option<(&Device, DateTime<Utc>)> {
    let first = devices.iter().max_by_key(|device| (device.status, device.said_at))?;
    let last_seen = devices.iter().map(|device| device.said_at).max()?;
    Some((first, last_seen))
}

/// Who is there. Clones share everything.
#[derive(Clone)]
pub struct Presences {
    redis: Redis,
    heartbeat: Arc<Script>,
    look: Arc<Script>,
}

impl Presences {
    /// Those in that Redis.
    #[must_use]
    pub fn new(redis: Redis) -> Self {
        let (heartbeat, look) = (Script::new(include_str!("heartbeat.lua")), Script::new(include_str!("look.lua")));
        Self { redis, heartbeat: Arc::new(heartbeat), look: Arc::new(look) }
    }

    /// Says that somebody's device is there.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn say(
        &self,
        (user_id, workspace_id): (UserId, WorkspaceId),
        device: SessionId,
        status: Status,
        device_type: &str,
    ) -> Result<(), RedisDown> {
        let mut call = self.call(user_id, workspace_id, device);
        call.arg(status.as_str()).arg(device_type);
        self.redis.run(&self.heartbeat, &call).await
    }

    /// Forgets somebody's device.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn forget(&self, user_id: UserId, workspace_id: WorkspaceId, device: SessionId) -> Result<(), RedisDown> {
        self.redis.run(&self.heartbeat, &self.call(user_id, workspace_id, device)).await
    }

    /// The devices of each of those people, in their order.
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

    fn call(&self, user_id: UserId, workspace_id: WorkspaceId, device: SessionId) -> redis::Cmd {
        let mut call = self.heartbeat.on(&self.key(user_id, workspace_id));
        call.arg(device.to_string()).arg(HOLDS_FOR.as_millis().to_string()).arg(DEVICES_MAX);
        call
    }

    /// The workspace is the hash tag: whoever looks at many people of a workspace asks one node.
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
    fn the_most_present_device_wins_and_each_counts_for_when_somebody_was_last_seen() {
        let devices = ["3000 away a phone", "1000 online desktop", "2000 away tablet"].map(device);
        let (first, last_seen) = most_present(&devices).expect("somebody");
        assert_eq!((first.status, first.device_type.as_str(), last_seen.timestamp_millis()), (Status::Online, "desktop", 3000));
        let disturbed = [device("1000 online desktop"), device("1000 dnd a phone")];
        assert_eq!(most_present(&disturbed).map(|(first, _)| first.status), Some(Status::Dnd));
        assert_eq!(most_present(&[]), None);
    }

    #[test]
    fn what_another_release_wrote_is_nobody() {
        for said in ["", "1000", "x online desktop", "1000 asleep desktop"] {
            assert_eq!(Device::read(said), None, "{said}");
        }
    }
}
