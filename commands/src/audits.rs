//! Commands of audits: that somebody reads one is noted before they are answered.

use domain::ids::WorkspaceId;
use domain::{AuditCommand, Context, StreamId};
use tracing::instrument;

use crate::execute::{Decision, Draft};
use crate::reader::Reader;
use crate::{Appended, Asked, CommandError, Commands};

/// The part of a question that names an address.
const ADDRESS: &str = "address";
/// Of its digest, so many bytes are kept: enough to tell addresses apart.
const DIGEST_BYTES: usize = 8;

impl Commands {
    /// Notes that the actor reads or exports the audit of a workspace. That they may was judged before
    /// ([`ReadAccess::may`](crate::ReadAccess::may)).
    ///
    /// # Errors
    /// The store failed.
    #[instrument(name = "note a reading of the audit", skip_all, fields(workspace.id = %workspace_id, command = command.name()))]
    pub async fn audit(&self, context: Context, workspace_id: WorkspaceId, command: AuditCommand) -> Result<Appended, CommandError> {
        let command = self.without_address(command);
        self.execute(&Asked { context, idempotency: None }, &Note { workspace_id, command }).await
    }

    /// Whom an address that was asked for belongs to, nobody knows here, so that it could not be sealed under a key of theirs. So the log has a digest
    /// of it under a key of the installation: that the same one was asked for is told, and which one is not.
    fn without_address(&self, mut command: AuditCommand) -> AuditCommand {
        let filter = match &mut command {
            AuditCommand::Read(reading) => &mut reading.filter,
            AuditCommand::Export(export) => &mut export.filter,
        };
        if let Some(address) = filter.get_mut(ADDRESS) {
            let digest = self.store.keys().blind(&[b"audited address", address.as_bytes()]);
            *address = hex::encode(&digest[..DIGEST_BYTES]);
        }
        command
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
