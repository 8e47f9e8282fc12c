//! How much one may ask: true sliding windows for each person and class of request, and for each person's messages in a channel.
//!
//! The windows are in Redis (`windows`), so that all servers share them. Without Redis every process keeps windows of its own (`local`): nobody
//! is locked out, and nobody is let in without a limit. What a request counts as is decided in [`class_of`]; how much of that there may be is a setting
//! ([`policy`]).
//!
//! A request counts whatever comes of it, the replay of a command too: that it is one is known only after the work is done. What is refused for the
//! limit does not count: whoever goes on asking gets what the limit allows, and is never shut out by asking.

mod class;
mod show;

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::{HttpMessage, HttpRequest};
use domain::ids::{ChannelId, UserId};
use domain::workspace::Plan;
use keyring::Keyring;
use projections::ReadModels;
use state::limits::known::{Asker, Known};
use state::limits::policy::{self, RateLimits};
use state::limits::wrong_tokens::WrongTokens;
use state::limits::{Class, Verdict, Window, Windows};
use state::sessions::Session;
use state::token::Token;
use stores::redis::Redis;

use crate::problem::Problem;

pub use self::class::class_of;
pub use self::show::{LIMIT, POLICY, show_limits};

/// The limits of this server. Clones share everything.
#[derive(Clone)]
pub struct Limits {
    settings: Arc<RateLimits>,
    windows: Windows,
    known: Arc<Known>,
    wrong: Arc<WrongTokens>,
    read_models: ReadModels,
}

impl Limits {
    /// Those of the settings, counted in that Redis, where no address is in the clear. Plans are read from those read models.
    #[must_use]
    pub fn new(settings: RateLimits, redis: Redis, keys: Keyring, read_models: ReadModels) -> Self {
        let windows = Windows::new(redis, keys);
        Self { settings: Arc::new(settings), windows, known: Arc::default(), wrong: Arc::default(), read_models }
    }

    /// Counts a request that is open to everybody, by the address that it comes from, where that is known.
    ///
    /// # Errors
    /// The limit is reached.
    pub async fn count_visitor(&self, request: &HttpRequest, address: Option<IpAddr>, class: Class) -> Result<(), Problem> {
        match address {
            Some(address) => judge(request, self.count_address(address, class).await),
            None => Ok(()),
        }
    }

    /// The session of that token, as it is looked up, and the request counted. Where this process knows whose token it
    /// is, both are asked of Redis at once: a user's token never becomes another's. `None` where the token is nobody's
    /// (any more).
    ///
    /// # Errors
    /// The session cannot be looked up, or the limit is reached.
    pub async fn count_session(
        &self,
        request: &HttpRequest,
        token: &Token,
        session: impl Future<Output = Result<Option<Session>, Problem>>,
    ) -> Result<Option<Session>, Problem> {
        let counted = counted(request);
        let Some(asker) = self.known.recall(&token.hash()) else {
            let Some(session) = session.await? else { return Ok(None) };
            if let Some((class, channel)) = counted {
                let asker = self.get_to_know(token, session.user_id).await;
                judge(request, self.count_user(asker, class, channel).await)?;
            }
            return Ok(Some(session));
        };
        let count = async {
            match counted {
                Some((class, channel)) => self.count_user(asker, class, channel).await,
                None => None,
            }
        };
        let (session, verdict) = tokio::join!(session, count);
        let Some(session) = session? else {
            self.known.forget(&token.hash());
            return Ok(None);
        };
        judge(request, verdict)?;
        Ok(Some(session))
    }

    /// Whether the token is known to be nobody's: then it is counted, and nothing is asked. An address that has sent too many of those is refused
    /// with every token that this process does not know.
    ///
    /// # Errors
    /// The limit is reached.
    pub fn is_wrong(&self, request: &HttpRequest, address: Option<IpAddr>, token: &Token) -> Result<bool, Problem> {
        let hash = token.hash();
        if self.wrong.is_wrong(&hash) {
            return self.count_wrong(request, address, None).map(|()| true);
        }
        let (Some(address), Some(quota)) = (address, self.settings.quota(Plan::Free, Class::WrongToken)) else { return Ok(false) };
        if self.known.recall_user(&hash).is_none()
            && let Some(verdict) = self.wrong.refusal(address, quota)
        {
            judge(request, Some(verdict))?;
        }
        Ok(false)
    }

    /// Counts a token that is nobody's by the address that it came from, and remembers it for a moment.
    ///
    /// # Errors
    /// The limit is reached.
    pub fn count_wrong(&self, request: &HttpRequest, address: Option<IpAddr>, token: Option<&Token>) -> Result<(), Problem> {
        if let Some(token) = token {
            self.wrong.remember(token.hash());
        }
        match (address, self.settings.quota(Plan::Free, Class::WrongToken)) {
            (Some(address), Some(quota)) => judge(request, Some(self.wrong.count(address, quota))),
            _ => Ok(()),
        }
    }

    /// Counts that somebody signs out: by the person where this process knows whose token it is, so that others at the address do not hold them up.
    ///
    /// # Errors
    /// The limit is reached.
    pub async fn count_sign_out(&self, request: &HttpRequest, address: Option<IpAddr>, token: &Token) -> Result<(), Problem> {
        let Some(quota) = self.settings.quota(Plan::Free, Class::SignOut) else { return Ok(()) };
        let key = match (self.known.recall_user(&token.hash()), address) {
            (Some(user_id), _) => self.windows.key_of_user(user_id, Class::SignOut),
            (None, Some(address)) => self.windows.key_of_address(address, Class::SignOut),
            (None, None) => return Ok(()),
        };
        judge(request, Some(self.windows.count(&[Window { class: Class::SignOut, key, quota }]).await))
    }

    async fn count_address(&self, address: IpAddr, class: Class) -> Option<Verdict> {
        let quota = self.settings.quota(Plan::Free, class)?;
        let key = self.windows.key_of_address(address, class);
        Some(self.windows.count(&[Window { class, key, quota }]).await)
    }

    /// Counts a request of a user; `None` where nothing of it is limited.
    async fn count_user(&self, asker: Asker, class: Class, channel: Option<ChannelId>) -> Option<Verdict> {
        let mut windows = Vec::with_capacity(2);
        let general = if class == Class::Message { Class::Write } else { class };
        if let Some(quota) = self.settings.quota(asker.plan, general) {
            windows.push(Window { class: general, key: self.windows.key_of_user(asker.user_id, general), quota });
        }
        if let (Some(channel), Some(quota)) = (channel, self.settings.quota(asker.plan, Class::Message)) {
            windows.push(Window { class: Class::Message, key: self.windows.key_of_messages(asker.user_id, channel), quota });
        }
        if windows.is_empty() { None } else { Some(self.windows.count(&windows).await) }
    }

    /// Who that token's user is, and which plan is theirs; remembered, so that the next request need not ask.
    async fn get_to_know(&self, token: &Token, user_id: UserId) -> Asker {
        // Whose plan cannot be read just now has the smallest, until it is asked for again.
        let plans = self.read_models.plans_of(user_id).await.unwrap_or_default();
        let asker = Asker { user_id, plan: policy::best(plans.iter().map(String::as_str)) };
        self.known.remember(token.hash(), asker);
        asker
    }
}

/// What a request counts as, and the channel that it posts to; `None` where it was counted already, or is not counted.
fn counted(request: &HttpRequest) -> Option<(Class, Option<ChannelId>)> {
    if request.extensions().contains::<Verdict>() {
        return None;
    }
    let path = request.match_info();
    let class = class_of(request.method(), path.as_str())?;
    let channel = if class == Class::Message { path.get("channel_id").and_then(|id| id.parse().ok()) } else { None };
    Some((class, channel))
}

/// Keeps the verdict for the answer's headers.
fn judge(request: &HttpRequest, verdict: Option<Verdict>) -> Result<(), Problem> {
    let Some(verdict) = verdict else {
        return Ok(());
    };
    let refused =
        verdict.refusal().map(|left| Problem::rate_limited(left.class.as_str(), left.quota.requests, left.quota.window, left.next));
    request.extensions_mut().insert(verdict);
    refused.map_or(Ok(()), Err)
}
