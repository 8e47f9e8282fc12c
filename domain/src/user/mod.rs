//! A user: a person or a program on this server, in all workspaces. Not here: the password (`secret.credentials`), the
//! sessions, and the membership of workspaces (`workspace`).

mod command;
mod decide;
mod error;
mod event;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use command::UserCommand;
pub use error::UserRefusal;
pub use event::{Json, Preferences, Profile, Registration, UserEvent};

use crate::context::Context;
use crate::ids::{UserId, WorkspaceId};
use crate::text::{Emoji, StatusText};

/// The state that decisions about a user need: the fold of the user's events, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// The data that the user registered with, kept up to date. `None` before the registration.
    pub registration: Option<Registration>,
    /// The custom status. It stays here when it has ended.
    #[serde(default, skip_serializing_if = "CustomStatus::is_empty")]
    pub custom_status: CustomStatus,
    /// Whether the user is suspended.
    pub suspended: bool,
    /// The requested erasure, if there is one.
    pub erasure: Option<Erasure>,
    /// The workspaces whose owners proposed the user's erasure, each with the owner who proposed last.
    pub proposals: BTreeMap<WorkspaceId, UserId>,
    /// Whether the user was erased, which is for ever.
    pub erased: bool,
}

/// A custom status: a text that a user shows for some time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomStatus {
    /// The text.
    pub text: Option<StatusText>,
    /// An emoji for it.
    pub emoji: Option<Emoji>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
}

impl CustomStatus {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A requested erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// The user who requested it.
    pub requested_by: UserId,
    /// The moment from which the erasure is carried out.
    pub due_at: DateTime<Utc>,
}

impl User {
    /// Whether the user exists, and is neither suspended nor erased.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.registration.is_some() && !self.suspended && !self.erased
    }

    /// Whether the user is an active operator of this server.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.is_active() && self.registration.as_ref().is_some_and(|r| r.is_operator)
    }

    /// Decides `command`, and returns the events that follow from it.
    ///
    /// # Errors
    /// The rules refuse the command.
    pub fn decide(&self, context: &Context, command: UserCommand) -> Result<Vec<UserEvent>, UserRefusal> {
        match command {
            UserCommand::Register(registration) => decide::register(self, registration),
            UserCommand::ChangeProfile(profile) => decide::change_profile(self, profile),
            UserCommand::ChangePreferences(preferences) => decide::change_preferences(self, preferences),
            UserCommand::ChangeStatus { text, emoji, expires_at } => decide::change_status(self, context, text, emoji, expires_at),
            UserCommand::Suspend { reason } => decide::suspend(self, reason),
            UserCommand::Reactivate => decide::reactivate(self),
            UserCommand::MakeOperator => decide::make_operator(self),
            UserCommand::RemoveOperator => decide::remove_operator(self),
            UserCommand::ResetPassword => decide::reset_password(self),
            UserCommand::ProposeErasure { workspace_id } => decide::propose_erasure(self, context, workspace_id),
            UserCommand::RequestErasure { wait } => decide::request_erasure(self, context, wait),
            UserCommand::CancelErasure => decide::cancel_erasure(self, context),
            UserCommand::Erase { invitations } => decide::erase(self, context, invitations),
        }
    }
}

impl Aggregate for User {
    const TYPE: &'static str = "user";
    type Command = (Context, UserCommand);
    type Event = UserEvent;
    type Error = UserRefusal;
    type Services = ();

    async fn handle(&mut self, (context, command): Self::Command, (): &(), sink: &EventSink<Self>) -> Result<(), UserRefusal> {
        for event in self.decide(&context, command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: UserEvent) {
        match event {
            UserEvent::Registered(registration) => self.registration = Some(*registration),
            UserEvent::ProfileChanged(profile) => self.change(|r| r.profile = *profile),
            UserEvent::PreferencesChanged(preferences) => self.change(|r| r.preferences = preferences),
            UserEvent::StatusChanged { text, emoji, expires_at } => self.custom_status = CustomStatus { text, emoji, expires_at },
            UserEvent::PasswordReset {} => {}
            UserEvent::Suspended { .. } => self.suspended = true,
            UserEvent::Reactivated {} => self.suspended = false,
            UserEvent::MadeOperator {} => self.change(|r| r.is_operator = true),
            UserEvent::OperatorRemoved {} => self.change(|r| r.is_operator = false),
            UserEvent::ErasureProposed { proposed_by, workspace_id } => drop(self.proposals.insert(workspace_id, proposed_by)),
            UserEvent::ErasureRequested { requested_by, due_at } => self.erasure = Some(Erasure { requested_by, due_at }),
            UserEvent::ErasureCancelled { cancelled_by: _ } => self.erasure = None,
            UserEvent::Erased { invitations: _ } => {
                (self.erasure, self.erased) = (None, true);
                self.custom_status = CustomStatus::default();
                self.proposals.clear();
                self.change(Registration::erase);
            }
        }
    }
}

impl User {
    fn change(&mut self, change: impl FnOnce(&mut Registration)) {
        if let Some(registration) = &mut self.registration {
            change(registration);
        }
    }
}
