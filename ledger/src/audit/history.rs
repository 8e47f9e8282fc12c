//! The history of one thing: its events, with what it was after each.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Sight;
use super::entry::{Entry, Found, conversation, is_withheld};
use super::state::{State, withhold_text};

/// An event of one thing, and the thing after it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct HistoryEntry {
    /// The event.
    #[serde(flatten)]
    pub entry: Entry,
    /// What the thing was after it.
    pub state: Value,
    /// Whether the state shows only those people whom the event names: the thing has too many.
    pub state_is_part: bool,
}

impl Found {
    /// The history of the thing that they happened to, for who may read that. They must have been found by [`AuditLog::history`].
    ///
    /// [`AuditLog::history`]: super::AuditLog::history
    #[must_use]
    pub fn history(&self, sight: &Sight) -> Vec<HistoryEntry> {
        let mut states = self.states(sight);
        let with_state = |entry: Entry| {
            let (state, state_is_part) = states.remove(&entry.position)?;
            Some(HistoryEntry { entry, state, state_is_part })
        };
        self.entries(sight).into_iter().filter_map(with_state).collect()
    }

    /// What each thing was after each event, by position.
    fn states(&self, sight: &Sight) -> HashMap<i64, (Value, bool)> {
        let mut states = HashMap::new();
        for (id, stream) in &self.streams {
            let withheld = is_withheld(conversation(stream), *id, sight);
            let mut state = State::new(id.aggregate);
            for event in stream {
                state.apply(&event.event);
                if !self.positions.contains(&event.position) {
                    continue;
                }
                let is_part = state.is_large();
                let mut shown = if is_part { state.part(&event.event) } else { state.whole() };
                if withheld {
                    withhold_text(&mut shown);
                }
                states.insert(event.position, (shown, is_part));
            }
        }
        states
    }
}
