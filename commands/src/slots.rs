//! Limits on how many things one user may create. Each thing takes a numbered claim, a slot, in the append that creates
//! it. So concurrent requests, even on several nodes, cannot exceed the limit.

use domain::ids::{UserId, WorkspaceId};

use crate::event_store::{Claim, ClaimKind, EventStore};
use crate::{CommandError, CommandRefusal};

/// The most channels and group conversations that one user may create in a workspace. Direct conversations do not
/// count, because there is at most one for each pair of members.
pub const CHANNELS_EACH_MAX: u32 = 1_000;

/// How many slots are read in one query. Slots are taken in order and stay taken, so the first query finds a free one
/// for almost every user.
const LOOKED_AT_ONCE: u32 = 64;

/// The slots of the workspaces that a user creates.
pub(crate) fn of_workspaces(creator: UserId) -> impl Fn(u32) -> Claim {
    move |number| Claim { kind: ClaimKind::WorkspaceSlot, scope: creator.0, value: number.to_string() }
}

/// The slots of the channels that a user creates in a workspace.
pub(crate) fn of_channels(workspace_id: WorkspaceId, creator: UserId) -> impl Fn(u32) -> Claim {
    move |number| Claim::in_workspace(ClaimKind::ChannelSlot, workspace_id, format!("{creator}:{number}"))
}

/// Returns the first free one of `max` slots.
///
/// # Errors
/// `refusal` if none is free, or the store failed.
pub(crate) async fn free(
    store: &EventStore,
    slot: impl Fn(u32) -> Claim,
    max: u32,
    refusal: impl Into<CommandRefusal>,
) -> Result<Claim, CommandError> {
    for first in (0..max).step_by(LOOKED_AT_ONCE as usize) {
        let slots = (first..max.min(first + LOOKED_AT_ONCE)).map(&slot).collect::<Vec<_>>();
        let held = store.holders(&slots).await?;
        if let Some(free) = slots.iter().find(|slot| !held.contains_key(slot)) {
            return Ok(free.clone());
        }
    }
    Err(CommandError::Refused(refusal.into()))
}
