//! Signing in and out. The log is told of a sign-in before anybody is signed in. The end of a session is effective as
//! soon as it is written down; the log is told then, and what is left of it is removed. Where that is cut off,
//! [`Sessions::sweep`] goes on.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use commands::Commands;
use domain::Context;
use domain::ids::{SessionId, UserId};
use domain::session::{End, Start};
use futures::future::try_join_all;
use state::credentials::Credentials;
use state::sessions::{Added, Ended, Session, SessionStore, Why, permissions};
use state::token::Token;
use uuid::Uuid;

use super::AuthError;

/// How many ends the log is told of at a time: a person with many sessions must not hold up the log.
const NOTED_AT_ONCE: usize = 16;

/// Where somebody signs in from.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// What kind of device, in the client's words.
    pub device_type: Option<String>,
    /// The address.
    pub ip_address: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// The request, as it is named in the server's log.
    pub request_id: Option<String>,
    /// What the server gave it when somebody signed in there before.
    pub token: Option<Token>,
}

impl Device {
    /// The address, where it is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.ip_address.as_deref()?.parse().ok()
    }

    /// The context of what `actor` asks from there.
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

/// The sessions of this server, whose beginning and end the log is told of.
#[derive(Clone)]
pub struct Sessions {
    store: SessionStore,
    commands: Commands,
}

impl Sessions {
    /// Those that are kept there. Those commands tell the log.
    #[must_use]
    pub fn new(store: SessionStore, commands: Commands) -> Self {
        Self { store, commands }
    }

    /// Signs a user in who has shown who they are just now.
    ///
    /// # Errors
    /// They are suspended, or Postgres does not answer.
    pub async fn start(&self, user_id: UserId, device: Device) -> Result<(Token, Session), AuthError> {
        let generation = self.store.generation(user_id).await?;
        self.start_in(user_id, generation, device).await
    }

    /// Signs a user in who showed who they are while their sessions were of that generation. Where all of their
    /// sessions ended in between, such as by another password, what they showed counts no more.
    ///
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
                // The log was told that it began.
                self.commands.end_session(by_itself(), session_id, user_id, End::PasswordChanged).await?;
                Err(AuthError::WrongPassword)
            }
        }
    }

    /// When a session ends that is not used any more.
    #[must_use]
    pub fn expiry(&self, session: &Session) -> DateTime<Utc> {
        self.store.expiry(session)
    }

    /// The session of that token, which lives on from now; `None` where there is none (any more).
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn take_up(&self, token: &Token) -> Result<Option<Session>, AuthError> {
        Ok(self.store.take_up(token).await?)
    }

    /// A user's sessions, the latest first.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn of_user(&self, user_id: UserId) -> Result<Vec<Session>, AuthError> {
        Ok(self.store.of_user(user_id).await?)
    }

    /// Ends the session of that token; returns it, if there was one. One of which something is left is there to be
    /// ended again.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn end(&self, token: &Token, from: &Device) -> Result<Vec<Ended>, AuthError> {
        let ended = self.store.end(token).await?;
        for session in &ended {
            let context = Context { session: Some(session.session_id()), ..from.context(session.user_id()) };
            self.note_end(Some(&context), session).await?;
        }
        self.store.remove(&ended).await?;
        Ok(ended)
    }

    /// Ends a session of the actor by its name; returns it, if there was one.
    ///
    /// # Errors
    /// As [`Sessions::end`].
    pub async fn end_of_user(&self, context: &Context, session_id: SessionId) -> Result<Vec<Ended>, AuthError> {
        let ended = self.store.end_of_user(context.actor, session_id).await?;
        self.finish(Some(context), &ended).await?;
        Ok(ended)
    }

    /// Changes the actor's password, whose hash was `from`, and ends all their sessions but the one that they ask in:
    /// in one step, however many they are. Returns those of which something is left; it is removed meanwhile.
    ///
    /// # Errors
    /// The password was changed meanwhile, or the session that asks has ended; or Postgres does not answer.
    pub async fn change_password(
        &self,
        credentials: &Credentials,
        context: &Context,
        session_id: SessionId,
        (from, to): (&str, &str),
    ) -> Result<Vec<Ended>, AuthError> {
        if !credentials.change(context.actor, session_id, from, to).await? {
            return Err(AuthError::Overtaken);
        }
        // The password is changed, whatever comes of this.
        let left = self.store.left_of(context.actor).await.unwrap_or_default();
        let (sessions, context) = (self.clone(), context.clone());
        tokio::spawn(async move {
            if let Err(error) = sessions.finish_all(Some(&context), context.actor).await {
                tracing::warn!(%error, "what is left of sessions that have ended is removed later");
            }
        });
        Ok(left)
    }

    /// Ends all sessions of a user who was erased, and removes what is left of them.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn end_all(&self, user_id: UserId) -> Result<(), AuthError> {
        self.store.end_all(user_id).await?;
        self.finish_all(None, user_id).await
    }

    /// Tells the log of sessions that have ended or expired, and removes what is left of them.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn sweep(&self) -> Result<(), AuthError> {
        loop {
            let left = self.store.left().await?;
            if left.is_empty() {
                return Ok(self.store.close_generations().await?);
            }
            if !self.finish(None, &left).await? {
                return Ok(());
            }
        }
    }

    /// What is left of the sessions of a user that ended together.
    async fn finish_all(&self, context: Option<&Context>, user_id: UserId) -> Result<(), AuthError> {
        loop {
            let left = self.store.left_of(user_id).await?;
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
                tracing::warn!(%error, "what is left of sessions that have ended is removed later");
            }
        });
    }

    /// Tells the log of those ends, then removes what is left of the sessions. Returns whether it is removed: not where
    /// Redis does not answer.
    async fn finish(&self, context: Option<&Context>, ended: &[Ended]) -> Result<bool, AuthError> {
        for some in ended.chunks(NOTED_AT_ONCE) {
            let mut notes = Vec::with_capacity(some.len());
            for session in some {
                notes.push(self.note_end(context, session));
            }
            try_join_all(notes).await?;
        }
        Ok(self.store.remove(ended).await?)
    }

    /// Tells the log, which notes it once. Where nobody asked for it, with a context of its own.
    async fn note_end(&self, context: Option<&Context>, session: &Ended) -> Result<(), AuthError> {
        let reason = match session.why() {
            Why::SignedOut => End::SignedOut,
            Why::PasswordChanged => End::PasswordChanged,
            Why::Expired => End::Expired,
        };
        let context = context.cloned().unwrap_or_else(by_itself);
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

/// The context of what nobody asked for.
fn by_itself() -> Context {
    Context::of(UserId::SYSTEM, Utc::now(), Uuid::now_v7())
}
