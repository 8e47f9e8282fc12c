//! Leaving nothing of an erased person in Redis: not even where nobody looks any more, such as under roots that are gone and generations that
//! have ended, nor in the files that Redis writes.

use std::collections::BTreeSet;

use sqlx::{PgConnection, query_scalar};
use uuid::Uuid;

use crate::connections::Stores;
use crate::engine::projector::ApplyError;

/// Removes everything that is cached of the workspaces that those people are or were in: texts and names stand all over it.
pub(super) async fn of_erased(stores: &Stores, tx: &mut PgConnection, people: &BTreeSet<Uuid>) -> Result<(), ApplyError> {
    let people = people.iter().copied().collect::<Vec<_>>();
    let workspaces = query_scalar!("SELECT DISTINCT workspace_id FROM workspace_members WHERE user_id = ANY ($1)", &people);
    for workspace_id in workspaces.fetch_all(tx).await? {
        stores.redis.remove_matching(&stores.redis.key(&format!("*{{{workspace_id}}}*"))).await?;
    }
    stores.redis.write_files_anew().await;
    Ok(())
}
