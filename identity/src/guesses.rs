//! Guessing is slowed down by account, from however many addresses it comes; and the owner of the account is not locked
//! out by it.
//!
//! Attempts at one account are counted in one window for all strangers together, and in a window of its own for each
//! device that the account knows (OWASP's "device cookies"). Strangers who use up theirs are refused, whatever password
//! they have: a right guess says nothing then. A device that is known is not held up by them. An attempt that succeeds
//! does not count.
//!
//! A login that nobody has is counted alike, so that a refusal does not say who is here.

use std::net::IpAddr;
use std::time::Duration;

use domain::ids::{SessionId, UserId};
use domain::workspace::Plan;
use state::devices::{DeviceId, KnownDevices};
use state::limits::policy::{Quota, RateLimits};
use state::limits::{Class, Window, Windows};
use state::token::Token;

use super::AuthError;

/// Too many attempts at one account.
#[derive(Clone, Copy, Debug)]
pub struct TooMany {
    /// So many are taken.
    pub requests: u32,
    /// In so long.
    pub window: Duration,
    /// One more is taken in so long.
    pub retry_after: Duration,
}

/// An attempt that was counted. One that succeeds is given back.
#[must_use]
pub struct Attempted(Option<Window>);

/// Counts attempts. Clones share everything.
#[derive(Clone)]
pub struct Guesses {
    windows: Windows,
    devices: KnownDevices,
    quota: Option<Quota>,
}

/// Whose password is tried.
#[derive(Clone, Copy)]
pub enum Account<'a> {
    /// That user's.
    Known(UserId),
    /// Nobody has that login.
    Unknown(&'a str),
}

impl Guesses {
    /// Counted there. What is known of devices is asked there.
    #[must_use]
    pub fn new(windows: Windows, devices: KnownDevices, limits: &RateLimits) -> Self {
        Self { windows, devices, quota: limits.quota(Plan::Free, Class::SignInAccount) }
    }

    /// Counts an attempt to sign in.
    ///
    /// # Errors
    /// There were too many, or Postgres does not answer.
    pub async fn count(&self, account: Account<'_>, token: Option<&Token>, address: Option<IpAddr>) -> Result<Attempted, AuthError> {
        let Some(quota) = self.quota else { return Ok(Attempted(None)) };
        let device = self.known_device(account, token, address).await?;
        self.count_in(quota, account, device.as_ref().map_or(&[][..], DeviceId::as_bytes)).await
    }

    /// Counts an attempt of somebody who is signed in to show the password once more: who has stolen a session guesses
    /// in a window of its own.
    ///
    /// # Errors
    /// As [`Guesses::count`].
    pub async fn count_confirmation(&self, user_id: UserId, session_id: Option<SessionId>) -> Result<Attempted, AuthError> {
        let Some(quota) = self.quota else { return Ok(Attempted(None)) };
        let from = session_id.map_or_else(Vec::new, |session_id| session_id.0.as_bytes().to_vec());
        self.count_in(quota, Account::Known(user_id), &from).await
    }

    /// The attempt was right: it does not count.
    pub async fn give_back(&self, attempted: Attempted) {
        if let Some(window) = attempted.0 {
            self.windows.give_back(&window).await;
        }
    }

    /// Remembers where the user signs in from.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn remember(&self, user_id: UserId, token: &Token, address: Option<IpAddr>) -> Result<(), AuthError> {
        let address = address.map(|address| self.devices.by_address(address));
        let devices = std::iter::once(self.devices.by_token(token)).chain(address).collect::<Vec<_>>();
        Ok(self.devices.remember(user_id, &devices).await?)
    }

    /// Whether that is the token of a device that the user signed in from.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn knows_token(&self, user_id: UserId, token: &Token) -> Result<bool, AuthError> {
        Ok(self.devices.knows(user_id, &self.devices.by_token(token)).await?)
    }

    /// Forgets where the user signed in from, but for that address: the password is another one now.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn forget_others(&self, user_id: UserId, address: Option<IpAddr>) -> Result<(), AuthError> {
        let but = address.map(|address| self.devices.by_address(address));
        Ok(self.devices.forget_others(user_id, but.as_ref()).await?)
    }

    /// Its token counts more than its address: others may share the address.
    async fn known_device(
        &self,
        account: Account<'_>,
        token: Option<&Token>,
        address: Option<IpAddr>,
    ) -> Result<Option<DeviceId>, AuthError> {
        // Asked for a login that nobody has too, so that it takes as long.
        let user_id = match account {
            Account::Known(user_id) => user_id,
            Account::Unknown(_) => UserId::SYSTEM,
        };
        let by_token = token.map(|token| self.devices.by_token(token));
        let by_address = address.map(|address| self.devices.by_address(address));
        for device in by_token.into_iter().chain(by_address) {
            if self.devices.knows(user_id, &device).await? {
                return Ok(Some(device));
            }
        }
        Ok(None)
    }

    async fn count_in(&self, quota: Quota, account: Account<'_>, from: &[u8]) -> Result<Attempted, AuthError> {
        let folded;
        let account = match &account {
            Account::Known(user_id) => user_id.0.as_bytes().as_slice(),
            Account::Unknown(login) => {
                folded = login.trim().to_lowercase();
                folded.as_bytes()
            }
        };
        let window = Window { class: Class::SignInAccount, key: self.windows.key_of_guesses(account, from), quota };
        let verdict = self.windows.count(std::slice::from_ref(&window)).await;
        match verdict.refusal() {
            None => Ok(Attempted(Some(window))),
            Some(left) => {
                Err(AuthError::TooManyGuesses(TooMany { requests: quota.requests, window: quota.window, retry_after: left.next }))
            }
        }
    }
}
