//! The people whom a caller sees in a workspace. The read model gives a guest's channels, and the write side decides which
//! of them the guest is in now.

use commands::{ReadAccess, Sight};
use domain::ids::WorkspaceId;
use domain::permission::Role;
use projections::ReadModels;
use projections::relational::users::DirectoryRow;

use crate::problem::Problem;

/// The people of the workspace whom the caller sees.
///
/// # Errors
/// The caller is not a member of the workspace, or a store failed.
pub(crate) async fn sight_of(read_models: &ReadModels, access: &ReadAccess, workspace_id: WorkspaceId) -> Result<Sight, Problem> {
    if access.active_member(workspace_id).await? != Role::Guest {
        return Ok(Sight::of_everybody());
    }
    let channels = read_models.current_channels_of(access.user_id(), workspace_id).await?;
    Ok(access.recent().await?.people_of_guest(workspace_id, &channels).await?)
}

/// Removes the people whom the caller does not see, and the addresses that the caller does not see.
pub(super) fn seen(sight: &Sight, mut rows: Vec<DirectoryRow>) -> Vec<DirectoryRow> {
    rows.retain(|row| sight.sees(row.user_id.into()));
    for row in rows.iter_mut().filter(|row| !sight.sees_address(row.user_id.into())) {
        (row.email, row.phone) = (None, None);
    }
    rows
}
