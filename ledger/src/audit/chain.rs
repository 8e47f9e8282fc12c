//! Cause and effect: what set an event off, what it set off, and what came of the same request.

use std::collections::{HashMap, HashSet};

use domain::ids::{ChannelId, WorkspaceId};
use serde::Serialize;
use sqlx::query_file;
use utoipa::ToSchema;

use super::AuditLog;
use super::entry::{Entry, Found};
use super::load::Extent;
use super::{AuditError, Filter, Order, Sight};

/// The most causes, effects and others of the same correlation that are shown.
const LINKS_MAX: u16 = 100;

/// An event with its causes and effects.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Chain {
    /// What set it off: the first cause first.
    pub causes: Vec<Entry>,
    /// The event.
    pub event: Entry,
    /// What it set off, and what those have set off, in the order of the log.
    pub effects: Vec<Entry>,
    /// What else came of the same request, in the order of the log.
    pub together: Vec<Entry>,
    /// Whether more came of it than is shown: an import is one request.
    pub is_more: bool,
}

/// A chain, before it is said who may read of it what.
#[derive(Debug)]
pub struct Links {
    position: i64,
    causes: Vec<i64>,
    effects: Vec<i64>,
    is_more: bool,
    found: Found,
}

impl AuditLog {
    /// The chain that an event is in, where the audit of that workspace shows the event.
    ///
    /// # Errors
    /// The read models or the log cannot be read.
    pub async fn chain(&self, workspace_id: WorkspaceId, position: i64) -> Result<Option<Links>, AuditError> {
        let this = Filter {
            workspace_id: Some(workspace_id),
            after: Some(position.saturating_sub(1)),
            before: Some(position.saturating_add(1)),
            limit: 1,
            ..Filter::default()
        };
        let found = self.find(&this).await?;
        let Some(event) = found.events.first() else { return Ok(None) };
        let linked =
            query_file!("src/audit/sql/chain.sql", workspace_id.0, event.event_id.0, i64::from(LINKS_MAX)).fetch_all(&self.pool).await?;
        let side = |is_cause: bool| linked.iter().filter(move |row| row.is_cause == is_cause).map(|row| row.position).collect::<Vec<_>>();
        let (causes, effects) = (side(true), side(false));
        let same = Filter {
            workspace_id: Some(workspace_id),
            correlation_id: Some(event.metadata.correlation_id),
            order: Order::OldestFirst,
            limit: LINKS_MAX,
            ..Filter::default()
        };
        let together = self.positions(&same).await?;
        let is_more = together.len() >= usize::from(LINKS_MAX) || effects.len() >= usize::from(LINKS_MAX);
        let mut positions = [position].into_iter().chain(together).chain(causes.clone()).chain(effects.clone()).collect::<Vec<_>>();
        positions.sort_unstable();
        positions.dedup();
        let found = self.found_at(Some(workspace_id), positions, Extent::Changes).await?;
        Ok(Some(Links { position, causes, effects, is_more, found }))
    }
}

impl Links {
    /// The channels whose messages are among them.
    #[must_use]
    pub fn channels(&self) -> Vec<ChannelId> {
        self.found.channels()
    }

    /// The chain, for who may read that.
    #[must_use]
    pub fn shown(&self, sight: &Sight) -> Option<Chain> {
        let mut entries = self.found.entries(sight).into_iter().map(|entry| (entry.position, entry)).collect::<HashMap<_, _>>();
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
