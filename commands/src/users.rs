//! Commands of users.

use domain::ids::{InvitationId, UserId, WorkspaceId};
use domain::text::Reason;
use domain::user::Registration;
use domain::{Context, StreamId, User, UserCommand, UserEvent, UserRefusal};
use tracing::instrument;

use crate::event_store::{Claim, ClaimChange, ClaimKind, names};
use crate::execute::{ChangedRow, Decision, Draft};
use crate::reader::Reader;
use crate::workspaces::inviter_is_active;
use crate::{Appended, CommandError, CommandRefusal, CommandRequest, Commands, Taken, authorize};

impl Commands {
    /// Registers a user. The first user of a server becomes its operator. The command line can register further
    /// operators.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    pub async fn register_user(
        &self,
        asked: &CommandRequest,
        user_id: UserId,
        registration: Registration,
    ) -> Result<Appended, CommandError> {
        self.register(asked, user_id, registration, None).await
    }

    /// Registers a user who is invited to a workspace, with the address that was invited. The user accepts the
    /// invitation afterwards.
    ///
    /// # Errors
    /// The invitation cannot be accepted, or is for another address; the command is refused for another reason; or the
    /// store failed.
    pub async fn register_invited_user(
        &self,
        asked: &CommandRequest,
        user_id: UserId,
        registration: Registration,
        invitation: (WorkspaceId, InvitationId),
    ) -> Result<Appended, CommandError> {
        self.register(asked, user_id, registration, Some(invitation)).await
    }

    #[instrument(name = "register a user", skip_all, fields(user.id = %user_id))]
    async fn register(
        &self,
        asked: &CommandRequest,
        user_id: UserId,
        registration: Registration,
        invitation: Option<(WorkspaceId, InvitationId)>,
    ) -> Result<Appended, CommandError> {
        let first = Claim::on_server(ClaimKind::FirstUser, "");
        let is_first = self.store.holders(std::slice::from_ref(&first)).await?.is_empty();
        let is_appointed = registration.is_operator && asked.context.actor == UserId::SYSTEM;
        let register = |is_first: bool| {
            let registration = Registration { is_operator: is_first || is_appointed, ..registration.clone() };
            Register { user_id, registration, is_first, invitation }
        };
        match self.execute(asked, &register(is_first)).await {
            // Another request registered the first user in between.
            Err(CommandError::Refused(CommandRefusal::Taken(Taken { kind: ClaimKind::FirstUser }))) => {
                self.execute(asked, &register(false)).await
            }
            outcome => outcome,
        }
    }

    /// Runs a command on a user.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    pub async fn user(&self, asked: &CommandRequest, user_id: UserId, command: UserCommand) -> Result<Appended, CommandError> {
        let name = command.name();
        self.user_with(asked, user_id, name, |_| Ok(command.clone())).await
    }

    /// Runs the command that `choose` derives from the present state of the user, or fails with its refusal. `choose`
    /// may be called more than once.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    #[instrument(name = "run a command on a user", skip_all, fields(user.id = %user_id, command = name))]
    pub async fn user_with(
        &self,
        asked: &CommandRequest,
        user_id: UserId,
        name: &'static str,
        choose: impl Fn(&User) -> Result<UserCommand, CommandRefusal> + Sync,
    ) -> Result<Appended, CommandError> {
        self.execute(asked, &Change { user_id, name, choose }).await
    }

    /// Suspends a user on the whole server. `operators` are candidates from the read side: each is checked against its
    /// present state.
    ///
    /// # Errors
    /// The command is refused, for example because the user is the only operator; or the store failed.
    #[instrument(name = "suspend a user", skip_all, fields(user.id = %user_id))]
    pub async fn suspend_user(
        &self,
        asked: &CommandRequest,
        user_id: UserId,
        reason: Option<Reason>,
        operators: &[UserId],
    ) -> Result<Appended, CommandError> {
        self.execute(asked, &Dismiss { user_id, command: UserCommand::Suspend { reason }, operators }).await
    }

    /// Makes an operator an ordinary user. `operators` are candidates, as for [`Commands::suspend_user`].
    ///
    /// # Errors
    /// The command is refused, for example because the user is the only operator; or the store failed.
    #[instrument(name = "remove an operator", skip_all, fields(user.id = %user_id))]
    pub async fn remove_operator(&self, asked: &CommandRequest, user_id: UserId, operators: &[UserId]) -> Result<Appended, CommandError> {
        self.execute(asked, &Dismiss { user_id, command: UserCommand::RemoveOperator, operators }).await
    }

    /// Finds the user by mail address or username.
    ///
    /// # Errors
    /// The store failed.
    pub async fn user_by_login(&self, email_or_username: &str) -> Result<Option<UserId>, CommandError> {
        let claims = names::of_login(email_or_username);
        let held = self.store.holders(&claims).await?;
        Ok(claims.iter().find_map(|claim| held.get(claim)).copied().map(UserId))
    }
}

struct Register {
    user_id: UserId,
    registration: Registration,
    is_first: bool,
    invitation: Option<(WorkspaceId, InvitationId)>,
}

impl Decision for Register {
    fn name(&self) -> &'static str {
        "register user"
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        if let Some((workspace_id, invitation_id)) = self.invitation {
            self.is_invited(context, reader, workspace_id, invitation_id).await?;
        }
        let user = reader.user(self.user_id).await?;
        let events = user.decide(context, UserCommand::Register(Box::new(self.registration.clone())))?;
        Ok(Draft::of(self.user_id).write(StreamId::user(self.user_id), None, events).claim(self.claims()))
    }
}

impl Register {
    /// Checks that the invitation can be accepted now, and is for the address of the registration. An invitation ends
    /// with the account of its inviter.
    async fn is_invited(
        &self,
        context: &Context,
        reader: &mut Reader<'_>,
        workspace_id: WorkspaceId,
        invitation_id: InvitationId,
    ) -> Result<(), CommandError> {
        let workspace = reader.workspace(workspace_id).await?;
        inviter_is_active(reader, &workspace, invitation_id).await?;
        Ok(workspace.may_register(context, invitation_id, &self.registration.email)?)
    }

    fn claims(&self) -> Vec<ClaimChange> {
        let names = names::of_email(&self.registration.email).into_iter().chain(names::of_username(&self.registration.username));
        let mut claims = names.map(|claim| claim.taken_by(self.user_id)).collect::<Vec<_>>();
        if self.is_first {
            claims.push(Claim::on_server(ClaimKind::FirstUser, "").taken_by(self.user_id));
        }
        claims
    }
}

struct Change<F> {
    user_id: UserId,
    name: &'static str,
    choose: F,
}

impl<F: Fn(&User) -> Result<UserCommand, CommandRefusal> + Sync> Decision for Change<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn row(&self) -> Option<ChangedRow> {
        let additions = &["user.password_reset", "user.erasure_proposed"];
        Some(ChangedRow { stream: StreamId::user(self.user_id), additions })
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let actor = reader.user(context.actor).await?;
        let user = reader.user(self.user_id).await?;
        let command = (self.choose)(&user)?;
        authorize::user_command(context.actor, &actor, self.user_id, &command)?;
        if matches!(command, UserCommand::Suspend { .. } | UserCommand::RemoveOperator) {
            another_operator_remains(reader, self.user_id, &user, &[]).await?;
        }
        let events: Vec<UserEvent> = user.decide(context, command)?;
        Ok(Draft::of(self.user_id).write(StreamId::user(self.user_id), None, events))
    }
}

/// A command after which the user is not an active operator any more.
struct Dismiss<'a> {
    user_id: UserId,
    command: UserCommand,
    operators: &'a [UserId],
}

impl Decision for Dismiss<'_> {
    fn name(&self) -> &'static str {
        self.command.name()
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let actor = reader.user(context.actor).await?;
        let user = reader.user(self.user_id).await?;
        authorize::user_command(context.actor, &actor, self.user_id, &self.command)?;
        another_operator_remains(reader, self.user_id, &user, self.operators).await?;
        let events: Vec<UserEvent> = user.decide(context, self.command.clone())?;
        Ok(Draft::of(self.user_id).write(StreamId::user(self.user_id), None, events))
    }
}

/// Checks that another one of `operators` remains, if `user` is an operator. The reads are guarded, so two operators
/// cannot suspend each other at the same time.
pub(crate) async fn another_operator_remains(
    reader: &mut Reader<'_>,
    user_id: UserId,
    user: &User,
    operators: &[UserId],
) -> Result<(), CommandError> {
    if !user.is_operator() {
        return Ok(());
    }
    for other in operators.iter().filter(|other| **other != user_id) {
        if reader.user(*other).await?.is_operator() {
            return Ok(());
        }
    }
    Err(UserRefusal::LastOperator.into())
}
