//! Limits on guessing passwords. They hold for each account, whatever addresses the attempts come from, and they do not
//! lock out the owner of the account.
//!
//! Attempts at one account are counted in one window for all unknown devices together, and in a window of its own for
//! each device that the account knows (OWASP's "device cookies"). When the window of the unknown devices is full, their
//! attempts are refused without a look at the password, so even a right guess reveals nothing. Known devices are not
//! affected. A successful attempt does not count.
//!
//! A login that no user has is counted in the same way, so a refusal does not reveal which users exist.

use std::net::IpAddr;
use std::time::Duration;

use domain::ids::{SessionId, UserId};
use domain::workspace::Plan;
use state::devices::{DeviceId, KnownDevices};
use state::limits::policy::{Quota, RateLimits};
use state::limits::{Class, Window, Windows};
use state::token::Token;

use super::AuthError;

/// The error that there were too many attempts at one account.
#[derive(Clone, Copy, Debug)]
pub struct TooMany {
    /// How many attempts are allowed in the window.
    pub requests: u32,
    /// The length of the window.
    pub window: Duration,
    /// How long the client must wait before the next attempt.
    pub retry_after: Duration,
}

/// A counted attempt. If it succeeds, it is given back.
#[must_use]
pub struct Attempted(Option<Window>);

/// Counts attempts. Clones share everything.
#[derive(Clone)]
pub struct Guesses {
    windows: Windows,
    devices: KnownDevices,
    quota: Option<Quota>,
}

/// The account whose password is tried.
#[derive(Clone, Copy)]
pub enum Account<'a> {
    /// The account of this user.
    Known(UserId),
    /// No user has this login.
    Unknown(&'a str),
}

impl Guesses {
    /// Counts attempts in `windows`, and looks up known devices in `devices`.
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

    /// Counts a signed-in user's attempt to confirm the password. It has a window of its own, so a thief of a session
    /// does not use up the windows of sign-ins.
    ///
    /// # Errors
    /// As [`Guesses::count`].
    pub async fn count_confirmation(&self, user_id: UserId, session_id: Option<SessionId>) -> Result<Attempted, AuthError> {
        let Some(quota) = self.quota else { return Ok(Attempted(None)) };
        let from = session_id.map_or_else(Vec::new, |session_id| session_id.0.as_bytes().to_vec());
        self.count_in(quota, Account::Known(user_id), &from).await
    }

    /// Takes an attempt back, because the password was right.
    pub async fn give_back(&self, attempted: Attempted) {
        if let Some(window) = attempted.0 {
            self.windows.give_back(&window).await;
        }
    }

    /// Remembers a device that the user signed in from.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn remember(&self, user_id: UserId, token: &Token, address: Option<IpAddr>) -> Result<(), AuthError> {
        let address = address.map(|address| self.devices.by_address(address));
        let devices = std::iter::once(self.devices.by_token(token)).chain(address).collect::<Vec<_>>();
        Ok(self.devices.remember(user_id, &devices).await?)
    }

    /// Whether the token belongs to a device that the user signed in from.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn knows_token(&self, user_id: UserId, token: &Token) -> Result<bool, AuthError> {
        Ok(self.devices.knows(user_id, &self.devices.by_token(token)).await?)
    }

    /// Forgets the user's devices except the one at this address, because the password was changed.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn forget_others(&self, user_id: UserId, address: Option<IpAddr>) -> Result<(), AuthError> {
        let except = address.map(|address| self.devices.by_address(address));
        Ok(self.devices.forget_others(user_id, except.as_ref()).await?)
    }

    /// Finds the known device of an attempt. Its token comes first, because several devices may share an address.
    async fn known_device(
        &self,
        account: Account<'_>,
        token: Option<&Token>,
        address: Option<IpAddr>,
    ) -> Result<Option<DeviceId>, AuthError> {
        // The query also runs for a login that no user has, so that it takes the same time.
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
