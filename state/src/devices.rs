//! Devices that users have signed in from, in `secret.known_devices`. A device is known by a token that the server gave
//! it, or by the network address of the sign-in (for IPv6, by its /64). The table holds digests only. Those of
//! addresses are made under a key of the server.
//!
//! A known device is no proof of identity. It only selects the window that an attempt is counted in (`identity`).

use std::net::IpAddr;

use domain::ids::UserId;
use keyring::Keyring;
use sqlx::PgPool;

use crate::StateError;
use crate::limits::client_network;
use crate::token::Token;

/// How many devices of one user are remembered. Above it, the least recently used ones are forgotten.
const DEVICES_MAX: i64 = 40;
/// How many bytes of a digest are kept. They are enough to distinguish devices.
const DIGEST_BYTES: usize = 16;

/// The identifier of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceId(Vec<u8>);

impl DeviceId {
    /// The bytes of the identifier, for the key of a window.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The known devices. A change of the user's password forgets them.
#[derive(Clone)]
pub struct KnownDevices {
    pool: PgPool,
    keys: Keyring,
}

impl KnownDevices {
    /// The devices in this database.
    #[must_use]
    pub fn new(pool: PgPool, keys: Keyring) -> Self {
        Self { pool, keys }
    }

    /// The identifier of a device with this token.
    #[must_use]
    pub fn by_token(&self, token: &Token) -> DeviceId {
        DeviceId(token.hash().0[..DIGEST_BYTES].to_vec())
    }

    /// The identifier of a device at this address.
    #[must_use]
    pub fn by_address(&self, address: IpAddr) -> DeviceId {
        let digest = self.keys.blind(&[b"known device", client_network(address).to_string().as_bytes()]);
        DeviceId(digest[..DIGEST_BYTES].to_vec())
    }

    /// Whether the user has signed in from this device.
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

    /// Remembers that the user has signed in from these devices.
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

    /// Forgets the user's devices except the given one, because strangers may have signed in from the others.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn forget_others(&self, user_id: UserId, except: Option<&DeviceId>) -> Result<(), StateError> {
        sqlx::query!(
            "DELETE FROM secret.known_devices WHERE user_id = $1 AND device IS DISTINCT FROM $2",
            user_id.0,
            except.map(DeviceId::as_bytes)
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
