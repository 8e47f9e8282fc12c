//! A session: a user signed in, was refused, or is no longer signed in. Each session has a stream of its own, so that
//! no other command waits for it. Not here: the token, and the time of the last use (`secret.sessions`).

mod command;
mod decide;
mod error;
mod event;
#[cfg(test)]
mod tests;

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use command::SessionCommand;
pub use error::SessionRefusal;
pub use event::{Attempt, EndReason, RefusalCause, SessionEvent, Start};

use crate::context::Context;
use crate::ids::UserId;

/// The state that decisions about a session need: the fold of its events, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The user who signed in or tried to. `None` if no user has the login.
    pub user_id: Option<UserId>,
    /// Whether it was started.
    pub started: bool,
    /// Why it ended, if it has.
    pub ended: Option<EndReason>,
    /// Why it was refused, if it was.
    pub refused: Option<RefusalCause>,
}

impl Session {
    /// Decides `command`, and returns the events that follow from it.
    ///
    /// # Errors
    /// The rules refuse the command.
    pub fn decide(&self, _: &Context, command: SessionCommand) -> Result<Vec<SessionEvent>, SessionRefusal> {
        match command {
            SessionCommand::Start(start) => decide::start(self, start),
            SessionCommand::Refuse(attempt) => decide::refuse(self, attempt),
            SessionCommand::End { user_id, reason } => decide::end(self, user_id, reason),
        }
    }
}

impl Aggregate for Session {
    const TYPE: &'static str = "session";
    type Command = (Context, SessionCommand);
    type Event = SessionEvent;
    type Error = SessionRefusal;
    type Services = ();

    async fn handle(&mut self, (context, command): Self::Command, (): &(), sink: &EventSink<Self>) -> Result<(), SessionRefusal> {
        for event in self.decide(&context, command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Started(start) => {
                self.user_id = Some(start.user_id);
                self.started = true;
            }
            SessionEvent::Refused(attempt) => {
                self.user_id = attempt.user_id;
                self.refused = Some(attempt.cause);
            }
            SessionEvent::Ended { user_id, reason } => {
                self.user_id = Some(user_id);
                self.ended = Some(reason);
            }
        }
    }
}
