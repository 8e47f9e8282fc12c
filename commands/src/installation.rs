//! Commands of the installation: operations on the read models, and on the signing key of the log.

use domain::{Context, Installation, InstallationCommand, InstallationEvent, StreamId};
use tracing::instrument;
use uuid::Uuid;

use crate::execute::{Decision, Draft};
use crate::reader::Reader;
use crate::{Appended, CommandError, CommandRequest, Commands, authorize};

impl Commands {
    /// Runs a command on the installation.
    ///
    /// # Errors
    /// The command is refused, or the store failed.
    #[instrument(name = "run a command on the installation", skip_all, fields(command = command.name()))]
    pub async fn installation(&self, asked: &CommandRequest, command: InstallationCommand) -> Result<Appended, CommandError> {
        self.execute(asked, &Change { command }).await
    }

    /// Returns the present state of the installation.
    ///
    /// # Errors
    /// The store failed.
    pub async fn installation_state(&self) -> Result<std::sync::Arc<Installation>, CommandError> {
        self.store.catch_up().await?;
        Ok(Reader::new(&self.store).installation().await?)
    }
}

struct Change {
    command: InstallationCommand,
}

impl Decision for Change {
    fn name(&self) -> &'static str {
        self.command.name()
    }

    async fn draft(&self, context: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let actor = reader.user(context.actor).await?;
        let installation = reader.installation().await?;
        authorize::installation_command(context.actor, &actor, &self.command)?;
        let events: Vec<InstallationEvent> = installation.decide(context, self.command.clone())?;
        Ok(Draft::of(Uuid::nil()).write(StreamId::INSTALLATION, None, events))
    }
}
