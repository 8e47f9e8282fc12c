//! Commands of audits. Each use of an audit is recorded before it is answered.

use domain::ids::WorkspaceId;
use domain::{AuditCommand, Context, StreamId};
use tracing::instrument;

use crate::execute::{Decision, Draft};
use crate::reader::Reader;
use crate::{Appended, CommandError, CommandRequest, Commands};

/// The name of the filter that has a network address.
const ADDRESS: &str = "address";
/// How many bytes of its digest are kept. They are enough to distinguish addresses.
const DIGEST_BYTES: usize = 8;

impl Commands {
    /// Records that the actor reads or exports the audit of a workspace. The caller has checked the permission
    /// ([`ReadAccess::may`](crate::ReadAccess::may)).
    ///
    /// # Errors
    /// The store failed.
    #[instrument(name = "record a use of the audit", skip_all, fields(workspace.id = %workspace_id, command = command.name()))]
    pub async fn audit(&self, context: Context, workspace_id: WorkspaceId, command: AuditCommand) -> Result<Appended, CommandError> {
        let command = self.without_address(command);
        self.execute(&CommandRequest { context, idempotency: None, unchanged_since: None }, &Record { workspace_id, command }).await
    }

    /// Replaces the address in the filter by its digest under a key of the installation. The server does not know whose
    /// address it is, so it cannot be sealed under that user's key. The digest shows that the same address was asked
    /// for again, and does not show the address.
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

struct Record {
    workspace_id: WorkspaceId,
    command: AuditCommand,
}

impl Decision for Record {
    fn name(&self) -> &'static str {
        self.command.name()
    }

    async fn draft(&self, _: &Context, reader: &mut Reader<'_>) -> Result<Draft, CommandError> {
        let audit = reader.audit(self.workspace_id).await?;
        let events = audit.decide(self.command.clone());
        Ok(Draft::of(self.workspace_id).write(StreamId::audit(self.workspace_id), Some(self.workspace_id), events))
    }
}
