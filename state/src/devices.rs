//! Devices from which people have signed in: `secret.known_devices`. A device is known by a token that the server gave
//! it, or by the address that it signed in from (of IPv6 its /64). Neither is in the table: it has digests, those of
//! addresses under a key of the server.
//!
//! It is no proof of anybody: it only says in which window an attempt is counted (`identity`).

use std::net::IpAddr;

use domain::ids::UserId;
use keyring::Keyring;
use sqlx::PgPool;

use crate::StateError;
use crate::limits::household;
use crate::token::Token;

/// Of so many devices of a person it is remembered that they are known; of more, those that were not used longest are
/// forgotten.
const DEVICES_MAX: i64 = 40;
/// Of a digest, so many bytes tell one device from another.
const DIGEST_BYTES: usize = 16;

/// What a device is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceId(Vec<u8>);

impl DeviceId {
    /// Its bytes, for the name of a window.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The devices that are known. They go with the person's password.
#[derive(Clone)]
pub struct KnownDevices {
    pool: PgPool,
    keys: Keyring,
}

impl KnownDevices {
    /// Those in that database.
    #[must_use]
    pub fn new(pool: PgPool, keys: Keyring) -> Self {
        Self { pool, keys }
    }

    /// A device that shows that token.
    #[must_use]
    pub fn by_token(&self, token: &Token) -> DeviceId {
        DeviceId(token.hash().0[..DIGEST_BYTES].to_vec())
    }

    /// A device that comes from that address.
    #[must_use]
    pub fn by_address(&self, address: IpAddr) -> DeviceId {
        let digest = self.keys.blind(&[b"known device", household(address).to_string().as_bytes()]);
        DeviceId(digest[..DIGEST_BYTES].to_vec())
    }

    /// Whether the user has signed in from that device.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn knows(&self, user_id: UserId, device: &DeviceId) -> Result<bool, StateError> {
        let known = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM secret.known_devices WHERE user_id = $1 AND device = $2) AS "known!""#,
            user_id.0,
            device.0
        );
        Ok(known.fetch_one(&self.pool).await?)
    }

    /// Remembers that the user has signed in from those devices.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn remember(&self, user_id: UserId, devices: &[DeviceId]) -> Result<(), StateError> {
        let devices = devices.iter().map(|device| device.0.clone()).collect::<Vec<_>>();
        sqlx::query!(
            "WITH seen AS (
                 INSERT INTO secret.known_devices (user_id, device) SELECT c.user_id, d.device
                 FROM secret.credentials c, (SELECT DISTINCT unnest($2::bytea[]) AS device) d WHERE c.user_id = $1
                 ON CONFLICT (user_id, device) DO UPDATE SET last_seen_at = now()
             )
             DELETE FROM secret.known_devices WHERE user_id = $1 AND device IN (
                 SELECT device FROM secret.known_devices WHERE user_id = $1 AND device <> ALL ($2) ORDER BY last_seen_at DESC OFFSET $3
             )",
            user_id.0,
            &devices,
            DEVICES_MAX - i64::try_from(devices.len()).unwrap_or(DEVICES_MAX)
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Forgets the devices of a user but that one: somebody else may have signed in from the others.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn forget_others(&self, user_id: UserId, but: Option<&DeviceId>) -> Result<(), StateError> {
        sqlx::query!(
            "DELETE FROM secret.known_devices WHERE user_id = $1 AND device IS DISTINCT FROM $2",
            user_id.0,
            but.map(DeviceId::as_bytes)
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
