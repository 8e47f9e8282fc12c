//! The rate limits: sliding windows for each user and request class, and for each user's messages in a channel.
//!
//! The windows are in Redis, so that all processes share them. Without Redis, each process keeps its own windows: no
//! user is locked out, and none is without a limit (`state::limits`). [`class_of`] decides the class of a request. The
//! settings give the limit of each class ([`policy`]). A frame of a live connection counts as the request over HTTP
//! that does the same.
//!
//! A request counts whatever its outcome. The replay of a command counts too: whether it is a replay is known only
//! after it has run. A refused request does not count. So a caller that keeps sending requests still gets as many
//! answers as the limit allows.

mod class;
mod show;

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::{HttpMessage, HttpRequest};
use domain::ids::{ChannelId, UserId};
use domain::workspace::Plan;
use keyring::Keyring;
use live::ClientFrame;
use projections::ReadModels;
use state::limits::policy::{self, RateLimits};
use state::limits::senders::{Sender, SenderCache};
use state::limits::wrong_tokens::WrongTokens;
use state::limits::{Class, Verdict, Window, Windows};
use state::sessions::Session;
use state::token::{Token, TokenHash};
use stores::redis::Redis;

use crate::problem::Problem;

pub use self::class::{class_of, class_of_frame};
pub use self::show::{LIMIT, POLICY, show_limits};

/// The limits of this server. Clones share the state.
#[derive(Clone)]
pub struct Limits {
    settings: Arc<RateLimits>,
    windows: Windows,
    senders: Arc<SenderCache>,
    senders_of_frames: Arc<SenderCache<UserId>>,
    wrong: Arc<WrongTokens>,
    read_models: ReadModels,
}

impl Limits {
    /// The limits of `settings`. They are counted in `redis`, and `keys` hide the addresses there. The workspaces'
    /// plans are read from `read_models`.
    #[must_use]
    pub fn new(settings: RateLimits, redis: Redis, keys: Keyring, read_models: ReadModels) -> Self {
        let windows = Windows::new(redis, keys);
        let (senders, senders_of_frames) = (Arc::default(), Arc::default());
        Self { settings: Arc::new(settings), windows, senders, senders_of_frames, wrong: Arc::default(), read_models }
    }

    /// Counts a request that is open to everybody, by its address. A request without a known address is not counted.
    ///
    /// # Errors
    /// The limit is reached.
    pub async fn count_visitor(&self, request: &HttpRequest, address: Option<IpAddr>, class: Class) -> Result<(), Problem> {
        match address {
            Some(address) => enforce(request, self.count_address(address, class).await),
            None => Ok(()),
        }
    }

    /// Looks up the session of the token with this hash, and counts the request. If this process already knows the token's user, it
    /// sends both requests to Redis at once: a token never changes its user. Returns `None` if no session has the token
    /// (any more).
    ///
    /// # Errors
    /// The session cannot be looked up, or the limit is reached.
    pub async fn count_session(
        &self,
        request: &HttpRequest,
        token: &TokenHash,
        session: impl Future<Output = Result<Option<Session>, Problem>>,
    ) -> Result<Option<Session>, Problem> {
        let counted = counted(request);
        let Some(sender) = self.senders.recall(token) else {
            let Some(session) = session.await? else { return Ok(None) };
            if let Some((class, channel)) = counted {
                let sender = self.load_sender(&self.senders, *token, session.user_id).await;
                enforce(request, self.count_user(sender, class, channel).await)?;
            }
            return Ok(Some(session));
        };
        let count = async {
            match counted {
                Some((class, channel)) => self.count_user(sender, class, channel).await,
                None => None,
            }
        };
        let (session, verdict) = tokio::join!(session, count);
        let Some(session) = session? else {
            self.senders.forget(token);
            return Ok(None);
        };
        enforce(request, verdict)?;
        Ok(Some(session))
    }

    /// Counts a frame that a user's client sent on a live connection.
    ///
    /// # Errors
    /// The limit is reached.
    pub async fn count_frame(&self, user_id: UserId, frame: &ClientFrame) -> Result<(), Problem> {
        let Some(class) = class_of_frame(frame) else { return Ok(()) };
        let sender = match self.senders_of_frames.recall(&user_id) {
            Some(sender) => sender,
            None => self.load_sender(&self.senders_of_frames, user_id, user_id).await,
        };
        let verdict = self.count_user(sender, class, None).await;
        verdict.as_ref().and_then(refusal).map_or(Ok(()), Err)
    }

    /// Whether this process knows that the token is invalid. Then it counts the token, and does not look it up. If an
    /// address has sent too many invalid tokens, each token from it that this process does not know is refused.
    ///
    /// # Errors
    /// The limit is reached.
    pub fn is_wrong(&self, request: &HttpRequest, address: Option<IpAddr>, token: &Token) -> Result<bool, Problem> {
        let hash = token.hash();
        if self.wrong.is_wrong(&hash) {
            return self.count_wrong(request, address, None).map(|()| true);
        }
        let (Some(address), Some(quota)) = (address, self.settings.quota(Plan::Free, Class::WrongToken)) else { return Ok(false) };
        if self.senders.recall_user(&hash).is_none()
            && let Some(verdict) = self.wrong.refusal(address, quota)
        {
            enforce(request, Some(verdict))?;
        }
        Ok(false)
    }

    /// Counts an invalid token by the address that sent it, and remembers the token for a short time.
    ///
    /// # Errors
    /// The limit is reached.
    pub fn count_wrong(&self, request: &HttpRequest, address: Option<IpAddr>, token: Option<&Token>) -> Result<(), Problem> {
        if let Some(token) = token {
            self.wrong.remember(token.hash());
        }
        match (address, self.settings.quota(Plan::Free, Class::WrongToken)) {
            (Some(address), Some(quota)) => enforce(request, Some(self.wrong.count(address, quota))),
            _ => Ok(()),
        }
    }

    /// Counts a request to sign out. If this process knows the token's user, it counts by user, so that other users at
    /// the same address do not use up the limit.
    ///
    /// # Errors
    /// The limit is reached.
    pub async fn count_sign_out(&self, request: &HttpRequest, address: Option<IpAddr>, token: &Token) -> Result<(), Problem> {
        let Some(quota) = self.settings.quota(Plan::Free, Class::SignOut) else { return Ok(()) };
        let key = match (self.senders.recall_user(&token.hash()), address) {
            (Some(user_id), _) => self.windows.key_of_user(user_id, Class::SignOut),
            (None, Some(address)) => self.windows.key_of_address(address, Class::SignOut),
            (None, None) => return Ok(()),
        };
        enforce(request, Some(self.windows.count(&[Window { class: Class::SignOut, key, quota }]).await))
    }

    async fn count_address(&self, address: IpAddr, class: Class) -> Option<Verdict> {
        let quota = self.settings.quota(Plan::Free, class)?;
        let key = self.windows.key_of_address(address, class);
        Some(self.windows.count(&[Window { class, key, quota }]).await)
    }

    /// Counts a request of a user. Returns `None` if no limit applies to it.
    async fn count_user(&self, sender: Sender, class: Class, channel: Option<ChannelId>) -> Option<Verdict> {
        let mut windows = Vec::with_capacity(2);
        let general = if class == Class::Message { Class::Write } else { class };
        if let Some(quota) = self.settings.quota(sender.plan, general) {
            windows.push(Window { class: general, key: self.windows.key_of_user(sender.user_id, general), quota });
        }
        if let (Some(channel), Some(quota)) = (channel, self.settings.quota(sender.plan, Class::Message)) {
            windows.push(Window { class: Class::Message, key: self.windows.key_of_messages(sender.user_id, channel), quota });
        }
        if windows.is_empty() { None } else { Some(self.windows.count(&windows).await) }
    }

    /// Reads the plan of the user, and remembers both, so that the next request or frame need not read them.
    async fn load_sender<K: Hash + Eq>(&self, senders: &SenderCache<K>, key: K, user_id: UserId) -> Sender {
        // If the plan cannot be read now, the smallest plan applies until it is read again.
        let plans = self.read_models.plans_of(user_id).await.unwrap_or_default();
        let sender = Sender { user_id, plan: policy::best(plans.iter().map(String::as_str)) };
        senders.remember(key, sender);
        sender
    }
}

/// The class of a request, and the channel that it posts to. Returns `None` if the request is counted already, or not
/// counted at all.
fn counted(request: &HttpRequest) -> Option<(Class, Option<ChannelId>)> {
    if request.extensions().contains::<Verdict>() {
        return None;
    }
    let path = request.match_info();
    let class = class_of(request.method(), path.as_str())?;
    let channel = if class == Class::Message { path.get("channel_id").and_then(|id| id.parse().ok()) } else { None };
    Some((class, channel))
}

/// Keeps the verdict for the answer's headers, and refuses the request if a limit is reached.
fn enforce(request: &HttpRequest, verdict: Option<Verdict>) -> Result<(), Problem> {
    let Some(verdict) = verdict else {
        return Ok(());
    };
    let refused = refusal(&verdict);
    request.extensions_mut().insert(verdict);
    refused.map_or(Ok(()), Err)
}

/// The problem of a verdict, if a limit is reached.
fn refusal(verdict: &Verdict) -> Option<Problem> {
    let left = verdict.refusal()?;
    Some(Problem::rate_limited(left.class.as_str(), left.quota.requests, left.quota.window, left.next))
}
