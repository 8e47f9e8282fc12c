//! Cause and effect: the events that caused an event, the events that it caused, and the other events of the same
//! request.

use std::collections::{HashMap, HashSet};

use domain::ids::{ChannelId, WorkspaceId};
use serde::Serialize;
use sqlx::query_file;
use utoipa::ToSchema;

use super::AuditLog;
use super::entry::{Entry, FoundEvents};
use super::load::Extent;
use super::{AuditError, Filter, Order, TextAccess};

/// The most causes, the most effects, and the most other events of the same correlation that are shown.
const CHAIN_EVENTS_MAX: u16 = 100;

/// An event with its causes and effects.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = EventChain)]
pub struct Chain {
    /// The causes, the first one first.
    pub causes: Vec<Entry>,
    /// The event.
    pub event: Entry,
    /// The events that it caused, directly or not, in the order of the log.
    pub effects: Vec<Entry>,
    /// The other events of the same request, in the order of the log.
    pub together: Vec<Entry>,
    /// Whether the request has more events than are shown: an import is one request.
    pub is_more: bool,
}

/// A chain, before texts are withheld.
#[derive(Debug)]
pub struct FoundChain {
    position: i64,
    causes: Vec<i64>,
    effects: Vec<i64>,
    is_more: bool,
    found: FoundEvents,
}

impl AuditLog {
    /// Returns the chain of an event. `None` if the audit of the workspace does not show the event.
    ///
    /// # Errors
    /// The read models or the log cannot be read.
    pub async fn chain(&self, workspace_id: WorkspaceId, position: i64) -> Result<Option<FoundChain>, AuditError> {
        let this = Filter {
            workspace_id: Some(workspace_id),
            after: Some(position.saturating_sub(1)),
            before: Some(position.saturating_add(1)),
            limit: 1,
            ..Filter::default()
        };
        let found = self.find(&this).await?;
        let Some(event) = found.events.first() else { return Ok(None) };
        let linked = query_file!("src/audit/sql/chain.sql", workspace_id.0, event.event_id.0, i64::from(CHAIN_EVENTS_MAX))
            .fetch_all(&self.pool)
            .await?;
        let side = |is_cause: bool| linked.iter().filter(move |row| row.is_cause == is_cause).map(|row| row.position).collect::<Vec<_>>();
        let (causes, effects) = (side(true), side(false));
        let same = Filter {
            workspace_id: Some(workspace_id),
            correlation_id: Some(event.metadata.correlation_id),
            order: Order::OldestFirst,
            limit: CHAIN_EVENTS_MAX,
            ..Filter::default()
        };
        let together = self.positions(&same).await?;
        let is_more = together.len() >= usize::from(CHAIN_EVENTS_MAX) || effects.len() >= usize::from(CHAIN_EVENTS_MAX);
        let mut positions = [position].into_iter().chain(together).chain(causes.clone()).chain(effects.clone()).collect::<Vec<_>>();
        positions.sort_unstable();
        positions.dedup();
        let found = self.found_at(Some(workspace_id), positions, Extent::Changes).await?;
        Ok(Some(FoundChain { position, causes, effects, is_more, found }))
    }
}

impl FoundChain {
    /// The channels of the messages in the chain.
    #[must_use]
    pub fn channels(&self) -> Vec<ChannelId> {
        self.found.channels()
    }

    /// The chain, with the texts that the caller may read.
    #[must_use]
    pub fn shown(&self, access: &TextAccess) -> Option<Chain> {
        let mut entries = self.found.entries(access).into_iter().map(|entry| (entry.position, entry)).collect::<HashMap<_, _>>();
        let event = entries.remove(&self.position)?;
        let causes = self.causes.iter().filter_map(|position| entries.remove(position)).collect();
        let effects = self.effects.iter().filter_map(|position| entries.remove(position)).collect();
        let left = entries.keys().copied().collect::<HashSet<_>>();
        let mut together = self.found.positions.iter().filter(|position| left.contains(position)).copied().collect::<Vec<_>>();
        together.sort_unstable();
        let together = together.iter().filter_map(|position| entries.remove(position)).collect();
        Some(Chain { causes, event, effects, together, is_more: self.is_more })
    }
}
