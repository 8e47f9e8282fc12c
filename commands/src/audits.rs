//! Commands of audits: that somebody reads one is noted before they are answered.

use domain::ids::WorkspaceId;
use domain::{AuditCommand, Context, StreamId};
use tracing::instrument;

use crate::execute::{Decision, Draft};
use crate::reader::Reader;
use crate::{Appended, Asked, CommandError, Commands};

impl Commands {
    /// Notes that the actor reads or exports the audit of a workspace. That they may was judged before ([`Commands::may`]).
    ///
    /// # Errors
    /// The store failed.
    #[instrument(name = "note a reading of the audit", skip_all, fields(workspace.id = %workspace_id, command = command.name()))]
    pub async fn audit(&self, context: Context, workspace_id: WorkspaceId, command: AuditCommand) -> Result<Appended, CommandError> {
        self.execute(&Asked { context, idempotency: None }, &Note { workspace_id, command }).await
    }
}

struct Note {
    workspace_id: WorkspaceId,
    command: AuditCommand,
}

impl Decision for Note {
    fn name(&self) -> &'static str {
        self.command.name()
    }

    async fn draft(&self, _: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let audit = reader.audit(self.workspace_id).await?;
        let events = audit.decide(self.command.clone());
        Ok(Draft::of(self.workspace_id).write(StreamId::audit(self.workspace_id), Some(self.workspace_id), events))
    }
}
