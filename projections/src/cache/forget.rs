//! Removes all data of an erased person from Redis: also unused keys (roots that are gone, generations that have
//! ended), and the files that Redis writes.

use std::collections::BTreeSet;

use sqlx::{PgConnection, query_scalar};
use uuid::Uuid;

use crate::connections::Connections;
use crate::engine::projector::ApplyError;

/// Removes everything that is cached of the workspaces that these people are or were in, because their texts and names
/// occur in many keys.
pub(super) async fn of_erased(stores: &Connections, tx: &mut PgConnection, people: &BTreeSet<Uuid>) -> Result<(), ApplyError> {
    let people = people.iter().copied().collect::<Vec<_>>();
    let workspaces = query_scalar!("SELECT DISTINCT workspace_id FROM workspace_members WHERE user_id = ANY ($1)", &people);
    for workspace_id in workspaces.fetch_all(tx).await? {
        stores.redis.remove_matching(&stores.redis.key(&format!("*{{{workspace_id}}}*"))).await?;
    }
    stores.redis.rewrite_files().await;
    Ok(())
}
