//! Names of people, channels and workspaces, and which of the people are erased. Positions of causes and effects.

use std::collections::{HashMap, HashSet};

use domain::ids::WorkspaceId;
use domain::{Event, Recorded, personal};
use sqlx::{query_file, query_file_scalar};
use uuid::Uuid;

use super::AuditError;
use super::AuditLog;

/// The most effects that are listed for the events of a page.
const EFFECTS_MAX: i64 = 1_000;

/// Causes and effects, as positions.
#[derive(Clone, Debug, Default)]
pub(super) struct Causes {
    /// The position of each event, by its identifier.
    pub position_of: HashMap<Uuid, i64>,
    /// The positions of the effects of each event, by its identifier.
    pub effects_of: HashMap<Uuid, Vec<i64>>,
}

impl AuditLog {
    /// Returns the names of the aggregates that have one.
    pub(super) async fn names_of(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, String>, AuditError> {
        let named = query_file!("src/audit/sql/names.sql", ids).fetch_all(&self.pool).await?;
        Ok(named.into_iter().map(|row| (row.id, row.name)).collect())
    }

    /// Removes the addresses of erased people from events. Newer events have sealed addresses, which cannot be read any
    /// more.
    pub(super) async fn remove_addresses_of_erased(&self, events: &mut [Recorded<Event>]) -> Result<(), AuditError> {
        let owner = |event: &Recorded<Event>| personal::metadata_owner(event.metadata.actor, &event.event);
        let says_something = |event: &&mut Recorded<Event>| event.metadata.address.is_some() || event.metadata.user_agent.is_some();
        let owners = events.iter_mut().filter(says_something).filter_map(|event| owner(event)).collect::<HashSet<_>>();
        let owners = owners.into_iter().collect::<Vec<_>>();
        let erased = query_file_scalar!("src/audit/sql/erased_among.sql", &owners).fetch_all(&self.pool).await?;
        let erased = erased.into_iter().collect::<HashSet<_>>();
        for event in events.iter_mut().filter(|event| owner(event).is_some_and(|owner| erased.contains(&owner))) {
            (event.metadata.address, event.metadata.user_agent) = (None, None);
        }
        Ok(())
    }

    /// Returns the causes and the effects of these events, as far as they belong to the workspace.
    pub(super) async fn causes_of(&self, workspace_id: Option<WorkspaceId>, events: &[Recorded<Event>]) -> Result<Causes, AuditError> {
        let of_events = events.iter().map(|event| event.event_id.0).collect::<Vec<_>>();
        let causing = events.iter().filter_map(|event| event.metadata.causation_id).map(|id| id.0).collect::<Vec<_>>();
        let workspace_id = workspace_id.map(|id| id.0);
        let file = query_file!("src/audit/sql/causes.sql", workspace_id, &causing, &of_events, EFFECTS_MAX);
        let mut causes = Causes::default();
        for row in file.fetch_all(&self.pool).await? {
            if row.is_effect {
                causes.effects_of.entry(row.id).or_default().push(row.position);
            } else {
                causes.position_of.insert(row.id, row.position);
            }
        }
        Ok(causes)
    }
}
