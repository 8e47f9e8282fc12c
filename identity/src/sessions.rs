//! Sign-ins and sign-outs. The start of a session is recorded in the log before the session is usable. The end of a
//! session takes effect as soon as it is written to Postgres. Then the end is recorded in the log, and the remaining
//! data of the session are removed. If this is interrupted, [`Sessions::sweep`] completes it.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use commands::Commands;
use domain::Context;
use domain::ids::{SessionId, UserId};
use domain::session::{EndReason, Start};
use futures::future::try_join_all;
use state::credentials::Credentials;
use state::sessions::{Added, Ended, EndedBy, Session, SessionStore, permissions};
use state::token::{Token, TokenHash};
use uuid::Uuid;

use super::AuthError;

/// How many ends are recorded at a time, so that a user with many sessions does not slow down the log.
const RECORDED_AT_ONCE: usize = 16;

/// The device of a sign-in.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// The kind of device, as the client names it.
    pub device_type: Option<String>,
    /// The network address.
    pub ip_address: Option<String>,
    /// The name and version that the client gives itself.
    pub user_agent: Option<String>,
    /// The request's identifier in the server's log lines.
    pub request_id: Option<String>,
    /// The token that the server gave the device at an earlier sign-in.
    pub token: Option<Token>,
}

impl Device {
    /// The network address, if it can be parsed.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.ip_address.as_deref()?.parse().ok()
    }

    /// The context of a command of `actor` from this device.
    #[must_use]
    pub fn context(&self, actor: UserId) -> Context {
        Context {
            address: self.ip_address.clone(),
            user_agent: self.user_agent.clone(),
            request_id: self.request_id.clone(),
            ..Context::of(actor, Utc::now(), Uuid::now_v7())
        }
    }
}

/// The sessions of this server. Their starts and ends are recorded in the log.
#[derive(Clone)]
pub struct Sessions {
    store: SessionStore,
    commands: Commands,
}

impl Sessions {
    /// Stores sessions in `store`, and records their starts and ends with `commands`.
    #[must_use]
    pub fn new(store: SessionStore, commands: Commands) -> Self {
        Self { store, commands }
    }

    /// Starts a session of a user who has just been authenticated.
    ///
    /// # Errors
    /// The user is suspended, or Postgres does not answer.
    pub async fn start(&self, user_id: UserId, device: Device) -> Result<(Token, Session), AuthError> {
        let generation = self.store.generation(user_id).await?;
        self.start_in(user_id, generation, device).await
    }

    /// Starts a session of a user who was authenticated while their sessions had this generation. If all their sessions
    /// have ended since, for example because the password was changed, the authentication is no longer valid.
    /// # Errors
    /// As [`Sessions::start`].
    pub async fn start_in(&self, user_id: UserId, generation: i64, device: Device) -> Result<(Token, Session), AuthError> {
        let (token, session_id) = (Token::of_new_session(), SessionId(Uuid::now_v7()));
        let start = Start { user_id, device_type: device.device_type.clone() };
        self.commands.start_session(device.context(user_id), session_id, start).await?;
        let session = session_of(user_id, session_id, device);
        match self.store.add(&token, &session, generation).await? {
            Added::Yes(ended) => {
                self.finish_later(None, ended);
                Ok((token, session))
            }
            Added::Outdated => {
                // The log has the start already, so the end is recorded too.
                self.commands.end_session(without_request(), session_id, user_id, EndReason::PasswordChanged).await?;
                Err(AuthError::WrongPassword)
            }
        }
    }

    /// When a session expires if it is not used any more.
    #[must_use]
    pub fn expiry(&self, session: &Session) -> DateTime<Utc> {
        self.store.expiry(session)
    }

    /// Returns the session of the token, and extends it. `None` if there is no such session (any more).
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn take_up(&self, token: &Token) -> Result<Option<Session>, AuthError> {
        Ok(self.store.take_up(token).await?)
    }

    /// The same by the hash of the token, which a ticket has.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn take_up_by(&self, token: TokenHash) -> Result<Option<Session>, AuthError> {
        Ok(self.store.take_up_by(token).await?)
    }

    /// A user's sessions, the latest first.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn of_user(&self, user_id: UserId) -> Result<Vec<Session>, AuthError> {
        Ok(self.store.of_user(user_id).await?)
    }

    /// Ends the session of the token, and returns it, if there was one. A session whose data are not removed yet can be
    /// ended again.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn end(&self, token: &Token, from: &Device) -> Result<Vec<Ended>, AuthError> {
        let ended = self.store.end(token).await?;
        for session in &ended {
            let context = Context { session: Some(session.session_id()), ..from.context(session.user_id()) };
            self.record_end(Some(&context), session).await?;
        }
        self.store.remove(&ended).await?;
        Ok(ended)
    }

    /// Ends a session of the actor by its identifier, and returns it, if there was one.
    ///
    /// # Errors
    /// As [`Sessions::end`].
    pub async fn end_of_user(&self, context: &Context, session_id: SessionId) -> Result<Vec<Ended>, AuthError> {
        let ended = self.store.end_of_user(context.actor, session_id).await?;
        self.finish(Some(context), &ended).await?;
        Ok(ended)
    }

    /// Whether the session of the token ended within the last day.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn has_ended(&self, token: &Token) -> Result<bool, AuthError> {
        Ok(self.store.has_ended(token).await?)
    }

    /// Whether the session was one of the user's, and has ended.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn has_ended_of_user(&self, user_id: UserId, session_id: SessionId) -> Result<bool, AuthError> {
        Ok(self.commands.session_has_ended(user_id, session_id).await?)
    }

    /// Changes the actor's password, whose hash was `from`, and ends all the actor's sessions except the one of this
    /// request, in one step. Returns the sessions whose data are not removed yet. The data are removed in the
    /// background.
    ///
    /// # Errors
    /// The password was changed in the meantime, the session of this request has ended, or Postgres does not answer.
    pub async fn change_password(
        &self,
        credentials: &Credentials,
        context: &Context,
        session_id: SessionId,
        (from, to): (&str, &str),
    ) -> Result<Vec<Ended>, AuthError> {
        if !credentials.change(context.actor, session_id, from, to).await? {
            return Err(AuthError::ChangedMeanwhile);
        }
        // The password is changed already, so an error here does not matter.
        let left = self.store.unremoved_of(context.actor).await.unwrap_or_default();
        let (sessions, context) = (self.clone(), context.clone());
        tokio::spawn(async move {
            if let Err(error) = sessions.finish_all(Some(&context), context.actor).await {
                tracing::warn!(%error, "the data of sessions that have ended are removed later");
            }
        });
        Ok(left)
    }

    /// Replaces the password of a user by one that an operator chose, and ends all sessions of the user.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn replace_password(
        &self,
        credentials: &Credentials,
        context: &Context,
        user_id: UserId,
        hash: &str,
    ) -> Result<(), AuthError> {
        credentials.replace(user_id, hash).await?;
        self.finish_all(Some(context), user_id).await
    }

    /// Ends all sessions of a user at the request of an operator, and returns how many there were.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn sign_out(&self, context: &Context, user_id: UserId) -> Result<usize, AuthError> {
        let sessions = self.store.of_user(user_id).await?.len();
        self.store.end_all(user_id).await?;
        self.finish_all(Some(context), user_id).await?;
        Ok(sessions)
    }

    /// Ends all sessions of a user who was erased, and removes their data.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn end_all(&self, user_id: UserId) -> Result<(), AuthError> {
        self.store.end_all(user_id).await?;
        self.finish_all(None, user_id).await
    }

    /// Records the ends of sessions that have ended or expired, and removes their data.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn sweep(&self) -> Result<(), AuthError> {
        loop {
            let left = self.store.unremoved().await?;
            if left.is_empty() {
                self.store.forget_ended().await?;
                return Ok(self.store.close_generations().await?);
            }
            if !self.finish(None, &left).await? {
                return Ok(());
            }
        }
    }

    /// Completes the ends of a user's sessions that ended together.
    async fn finish_all(&self, context: Option<&Context>, user_id: UserId) -> Result<(), AuthError> {
        loop {
            let left = self.store.unremoved_of(user_id).await?;
            if left.is_empty() || !self.finish(context, &left).await? {
                return Ok(());
            }
        }
    }

    fn finish_later(&self, context: Option<Context>, ended: Vec<Ended>) {
        if ended.is_empty() {
            return;
        }
        let sessions = self.clone();
        tokio::spawn(async move {
            if let Err(error) = sessions.finish(context.as_ref(), &ended).await {
                tracing::warn!(%error, "the data of sessions that have ended are removed later");
            }
        });
    }

    /// Records the ends in the log, then removes the data of the sessions. Returns whether they are removed: they are
    /// not if Redis does not answer.
    async fn finish(&self, context: Option<&Context>, ended: &[Ended]) -> Result<bool, AuthError> {
        for some in ended.chunks(RECORDED_AT_ONCE) {
            let mut notes = Vec::with_capacity(some.len());
            for session in some {
                notes.push(self.record_end(context, session));
            }
            try_join_all(notes).await?;
        }
        Ok(self.store.remove(ended).await?)
    }

    /// Records an end in the log, once. If no request caused it, it gets a context of its own.
    async fn record_end(&self, context: Option<&Context>, session: &Ended) -> Result<(), AuthError> {
        let reason = match session.why() {
            EndedBy::SignedOut => EndReason::SignedOut,
            EndedBy::PasswordChanged => EndReason::PasswordChanged,
            EndedBy::Expired => EndReason::Expired,
        };
        let context = context.cloned().unwrap_or_else(without_request);
        self.commands.end_session(context, session.session_id(), session.user_id(), reason).await?;
        Ok(())
    }
}

fn session_of(user_id: UserId, session_id: SessionId, device: Device) -> Session {
    let now = Utc::now();
    Session {
        session_id,
        user_id,
        workspace_id: None,
        device_type: device.device_type.unwrap_or_else(|| "unknown".into()),
        ip_address: device.ip_address,
        user_agent: device.user_agent,
        created_at: now,
        last_activity: now,
        permissions: permissions(),
    }
}

/// The context of a command that no request caused.
fn without_request() -> Context {
    Context::of(UserId::SYSTEM, Utc::now(), Uuid::now_v7())
}
