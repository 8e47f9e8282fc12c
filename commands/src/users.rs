//! Commands of users.

use domain::ids::UserId;
use domain::text::Reason;
use domain::user::Registration;
use domain::{Context, StreamId, User, UserCommand, UserEvent, UserRefusal};
use tracing::instrument;

use crate::event_store::{Claim, ClaimChange, ClaimKind, names};
use crate::execute::{Decision, Draft};
use crate::reader::Reader;
use crate::{Appended, CommandError, CommandRefusal, CommandRequest, Commands, Taken, authorize};

impl Commands {
    /// Registers a user. The first user of a server becomes its operator.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    #[instrument(name = "register a user", skip_all, fields(user.id = %user_id))]
    pub async fn register_user(
        &self,
        asked: &CommandRequest,
        user_id: UserId,
        registration: Registration,
    ) -> Result<Appended, CommandError> {
        let first = Claim::on_server(ClaimKind::FirstUser, "");
        let is_operator = self.store.holders(std::slice::from_ref(&first)).await?.is_empty();
        let registration = Registration { is_operator, ..registration };
        match self.execute(asked, &Register { user_id, registration: registration.clone() }).await {
            // Another request registered the first user in between.
            Err(CommandError::Refused(CommandRefusal::Taken(Taken { kind: ClaimKind::FirstUser }))) => {
                self.execute(asked, &Register { user_id, registration: Registration { is_operator: false, ..registration } }).await
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
        self.execute(asked, &Suspend { user_id, reason, operators }).await
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
}

impl Decision for Register {
    fn name(&self) -> &'static str {
        "register user"
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let user = reader.user(self.user_id).await?;
        let events = user.decide(context, UserCommand::Register(Box::new(self.registration.clone())))?;
        Ok(Draft::of(self.user_id).write(StreamId::user(self.user_id), None, events).claim(self.claims()))
    }
}

impl Register {
    fn claims(&self) -> Vec<ClaimChange> {
        let names = names::of_email(&self.registration.email).into_iter().chain(names::of_username(&self.registration.username));
        let mut claims = names.map(|claim| claim.taken_by(self.user_id)).collect::<Vec<_>>();
        if self.registration.is_operator {
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

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let actor = reader.user(context.actor).await?;
        let user = reader.user(self.user_id).await?;
        let command = (self.choose)(&user)?;
        authorize::user_command(context.actor, &actor, self.user_id, &command)?;
        if matches!(command, UserCommand::Suspend { .. }) {
            another_operator_remains(reader, self.user_id, &user, &[]).await?;
        }
        let events: Vec<UserEvent> = user.decide(context, command)?;
        Ok(Draft::of(self.user_id).write(StreamId::user(self.user_id), None, events))
    }
}

struct Suspend<'a> {
    user_id: UserId,
    reason: Option<Reason>,
    operators: &'a [UserId],
}

impl Decision for Suspend<'_> {
    fn name(&self) -> &'static str {
        "suspend user"
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let actor = reader.user(context.actor).await?;
        let user = reader.user(self.user_id).await?;
        let command = UserCommand::Suspend { reason: self.reason.clone() };
        authorize::user_command(context.actor, &actor, self.user_id, &command)?;
        another_operator_remains(reader, self.user_id, &user, self.operators).await?;
        let events: Vec<UserEvent> = user.decide(context, command)?;
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
