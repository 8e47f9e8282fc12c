//! Rate limits: true sliding windows, which all servers share in Redis (`windows`). Without Redis, each process has
//! windows of its own (`local`).
//!
//! The limits are a setting ([`policy`]). The API decides which class a request belongs to.

pub mod class;
mod local;
pub mod policy;
pub mod senders;
mod windows;
pub mod wrong_tokens;

use std::net::IpAddr;
use std::sync::Arc;

use domain::ids::{ChannelId, UserId};
use keyring::Keyring;
use stores::redis::{Redis, RedisDown};

pub use class::Class;
pub use windows::{Remaining, Verdict, Window, client_network};

use local::LocalWindows;
use windows::SharedWindows;

/// The windows of this server. Clones share everything.
#[derive(Clone)]
pub struct Windows {
    shared: SharedWindows,
    local: Arc<LocalWindows>,
}

impl Windows {
    /// Windows in this Redis. Their keys have no address in plain text.
    #[must_use]
    pub fn new(redis: Redis, keys: Keyring) -> Self {
        Self { shared: SharedWindows::new(redis, keys), local: Arc::default() }
    }

    /// The key of a user's window.
    #[must_use]
    pub fn key_of_user(&self, user_id: UserId, class: Class) -> String {
        self.shared.key_of_user(user_id, class)
    }

    /// The key of the window of a user's messages in a channel.
    #[must_use]
    pub fn key_of_messages(&self, user_id: UserId, channel_id: ChannelId) -> String {
        self.shared.key_of_messages(user_id, channel_id)
    }

    /// The key of the window of an address.
    #[must_use]
    pub fn key_of_address(&self, address: IpAddr, class: Class) -> String {
        self.shared.key_of_address(address, class)
    }

    /// The key of the window of attempts at an account's password. `from` is the name of a known device, or empty for
    /// all unknown devices.
    #[must_use]
    pub fn key_of_guesses(&self, account: &[u8], from: &[u8]) -> String {
        self.shared.key_of_guesses(account, from)
    }

    /// Takes back the last granted request of the window, because it does not count.
    pub async fn give_back(&self, window: &Window) {
        if self.shared.give_back(window).await.is_err() {
            self.local.give_back(window);
        }
    }

    /// Counts a request in all of the windows. If one of them is full, it counts in none.
    pub async fn count(&self, windows: &[Window]) -> Verdict {
        match self.shared.count(windows).await {
            Ok(verdict) => verdict,
            Err(RedisDown) => self.local.count(windows),
        }
    }
}
