//! Signing in and out. The log is told of a sign-in before anybody is signed in. The end of a session is written down first; it is complete when
//! the log was told, and Redis confirms that it forgot. Until then [`Sessions::sweep`] tries again.

use chrono::{DateTime, Utc};
use commands::Commands;
use domain::Context;
use domain::ids::{SessionId, UserId};
use domain::session::{End, Start};
use state::sessions::{Ended, Session, SessionStore, permissions};
use state::token::Token;
use uuid::Uuid;

use super::AuthError;

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
}

impl Device {
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

    /// Signs a user in who has shown who they are.
    ///
    /// # Errors
    /// They are suspended, or Postgres does not answer.
    pub async fn start(&self, user_id: UserId, device: Device) -> Result<(Token, Session), AuthError> {
        let (token, session_id) = (Token::of_new_session(), SessionId(Uuid::now_v7()));
        let start = Start { user_id, device_type: device.device_type.clone() };
        self.commands.start_session(device.context(user_id), session_id, start).await?;
        let now = Utc::now();
        let session = Session {
            session_id,
            user_id,
            workspace_id: None,
            device_type: device.device_type.unwrap_or_else(|| "unknown".into()),
            ip_address: device.ip_address,
            user_agent: device.user_agent,
            created_at: now,
            last_activity: now,
            permissions: permissions(),
        };
        self.store.add(&token, &session).await?;
        Ok((token, session))
    }

    /// When a session ends that is not used any more.
    #[must_use]
    pub fn expiry(&self, session: &Session) -> DateTime<Utc> {
        self.store.expiry(session)
    }

    /// The session of that token, which lives on from now; `None` where there is none (any more).
    ///
    /// # Errors
    /// Neither Redis nor Postgres answers.
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

    /// Ends the session of that token; returns it, if there was one. One that is ended, and that Redis has not confirmed, is there to be ended again.
    ///
    /// # Errors
    /// Postgres does not answer, or Redis does not confirm.
    pub async fn end(&self, token: &Token, from: &Device) -> Result<Vec<Ended>, AuthError> {
        let ended = self.store.end(token).await?;
        for session in &ended {
            let context = Context { session: Some(session.session_id()), ..from.context(session.user_id()) };
            self.note_end(context, session, End::SignedOut).await?;
        }
        self.confirm(ended).await
    }

    /// Ends a session of the actor by its name; returns it, if there was one.
    ///
    /// # Errors
    /// As [`Sessions::end`].
    pub async fn end_of_user(&self, context: &Context, session_id: SessionId) -> Result<Vec<Ended>, AuthError> {
        let ended = self.store.end_of_user(context.actor, session_id).await?;
        self.note_ends(context, &ended, End::SignedOut).await?;
        self.confirm(ended).await
    }

    /// Ends all sessions of the actor but the one that they ask in, because their password was changed; returns them.
    ///
    /// # Errors
    /// As [`Sessions::end`].
    pub async fn end_others(&self, context: &Context, but: SessionId) -> Result<Vec<Ended>, AuthError> {
        let ended = self.store.end_others(context.actor, but).await?;
        self.note_ends(context, &ended, End::PasswordChanged).await?;
        self.confirm(ended).await
    }

    /// Ends all sessions of a user who was erased.
    ///
    /// # Errors
    /// As [`Sessions::end`].
    pub async fn end_all(&self, user_id: UserId) -> Result<Vec<Ended>, AuthError> {
        let ended = self.store.end_all(user_id).await?;
        self.note_each_by_itself(&ended, End::SignedOut).await?;
        self.confirm(ended).await
    }

    /// Removes what has expired, and completes ends that Redis had not confirmed.
    ///
    /// # Errors
    /// Postgres does not answer, or Redis does not confirm.
    pub async fn sweep(&self) -> Result<(), AuthError> {
        let expired = self.store.expired().await?;
        self.note_each_by_itself(&expired, End::Expired).await?;
        self.store.remove_expired(&expired).await?;
        let ended = self.store.unconfirmed().await?;
        // Where the log was told when it was ended, this changes nothing.
        self.note_each_by_itself(&ended, End::SignedOut).await?;
        self.confirm(ended).await.map(drop)
    }

    async fn note_ends(&self, context: &Context, ended: &[Ended], reason: End) -> Result<(), AuthError> {
        for session in ended {
            self.note_end(context.clone(), session, reason).await?;
        }
        Ok(())
    }

    /// Each with a context of its own.
    async fn note_each_by_itself(&self, ended: &[Ended], reason: End) -> Result<(), AuthError> {
        for session in ended {
            self.note_end(by_itself(), session, reason).await?;
        }
        Ok(())
    }

    /// Tells the log, which notes it once.
    async fn note_end(&self, context: Context, session: &Ended, reason: End) -> Result<(), AuthError> {
        self.commands.end_session(context, session.session_id(), session.user_id(), reason).await?;
        Ok(())
    }

    async fn confirm(&self, ended: Vec<Ended>) -> Result<Vec<Ended>, AuthError> {
        self.store.confirm(&ended).await?;
        Ok(ended)
    }
}

/// The context of what nobody asked for.
fn by_itself() -> Context {
    Context::of(UserId::SYSTEM, Utc::now(), Uuid::now_v7())
}
