//! Commands of sessions: they record sign-ins and sign-outs in the log. The session itself is stored elsewhere
//! (`secret.sessions`).

use std::sync::Arc;

use domain::ids::{SessionId, UserId};
use domain::session::{Attempt, EndReason, Start};
use domain::{Context, Session, SessionCommand, StreamId};
use tracing::instrument;

use crate::execute::{Decision, Draft};
use crate::reader::Reader;
use crate::{Appended, CommandError, CommandRequest, Commands, authorize};

impl Commands {
    /// Records the start of a session. The caller has authenticated the actor, and the log must have the start before
    /// the session is usable.
    ///
    /// # Errors
    /// The user is suspended, or the store failed.
    #[instrument(name = "start a session", skip_all, fields(session.id = %session_id))]
    pub async fn start_session(&self, context: Context, session_id: SessionId, start: Start) -> Result<Appended, CommandError> {
        let context = Context { session: Some(session_id), ..context };
        self.run(context, session_id, SessionCommand::Start(start)).await
    }

    /// Records a refused sign-in.
    ///
    /// # Errors
    /// The store failed.
    #[instrument(name = "record a refused sign-in", skip_all, fields(session.id = %session_id))]
    pub async fn refuse_session(&self, context: Context, session_id: SessionId, attempt: Attempt) -> Result<Appended, CommandError> {
        self.run(context, session_id, SessionCommand::Refuse(attempt)).await
    }

    /// Records the end of a session, once, even if it is called again.
    ///
    /// # Errors
    /// The store failed.
    #[instrument(name = "end a session", skip_all, fields(session.id = %session_id))]
    pub async fn end_session(
        &self,
        context: Context,
        session_id: SessionId,
        user_id: UserId,
        reason: EndReason,
    ) -> Result<Appended, CommandError> {
        self.run(context, session_id, SessionCommand::End { user_id, reason }).await
    }

    /// Whether the session was one of the user's, and has ended.
    ///
    /// # Errors
    /// The store failed.
    pub async fn session_has_ended(&self, user_id: UserId, session_id: SessionId) -> Result<bool, CommandError> {
        self.store.catch_up().await?;
        let session = self.store.load::<Session>(session_id.0).await?.state;
        Ok(session.started && session.user_id == Some(user_id) && session.ended.is_some())
    }

    async fn run(&self, context: Context, session_id: SessionId, command: SessionCommand) -> Result<Appended, CommandError> {
        self.execute(&CommandRequest { context, idempotency: None, unchanged_since: None }, &Run { session_id, command }).await
    }
}

struct Run {
    session_id: SessionId,
    command: SessionCommand,
}

impl Decision for Run {
    fn name(&self) -> &'static str {
        self.command.name()
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let session = match &self.command {
            SessionCommand::Start(start) => {
                // The user is guarded, so no session starts after a suspension.
                authorize::active(reader.user(start.user_id).await?.as_ref())?;
                Arc::default()
            }
            // The streams are new, so there is nothing to load.
            SessionCommand::Refuse(_) => Arc::default(),
            SessionCommand::End { .. } => reader.session(self.session_id).await?,
        };
        let events = session.decide(context, self.command.clone())?;
        Ok(Draft::of(self.session_id).write(StreamId::session(self.session_id), None, events))
    }
}
