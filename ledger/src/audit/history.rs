//! The history of one aggregate: its events, each with the state after it.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::TextAccess;
use super::entry::{Entry, FoundEvents, conversation, is_withheld};
use super::state::{State, withhold_text};

/// An event of an aggregate, and the state after it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct HistoryEntry {
    /// The event.
    #[serde(flatten)]
    pub entry: Entry,
    /// The aggregate's state after the event.
    pub state: Value,
    /// Whether the state shows only the people that the event names, because the aggregate has too many.
    pub state_is_part: bool,
}

impl FoundEvents {
    /// The history of the events' aggregate, with the texts that the caller may read. The events must come from
    /// [`AuditLog::history`].
    ///
    /// [`AuditLog::history`]: super::AuditLog::history
    #[must_use]
    pub fn history(&self, access: &TextAccess) -> Vec<HistoryEntry> {
        let mut states = self.states(access);
        let with_state = |entry: Entry| {
            let (state, state_is_part) = states.remove(&entry.position)?;
            Some(HistoryEntry { entry, state, state_is_part })
        };
        self.entries(access).into_iter().filter_map(with_state).collect()
    }

    /// The state of each aggregate after each event, by position.
    fn states(&self, access: &TextAccess) -> HashMap<i64, (Value, bool)> {
        let mut states = HashMap::new();
        for (id, stream) in &self.streams {
            let withheld = is_withheld(conversation(stream), *id, access);
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
