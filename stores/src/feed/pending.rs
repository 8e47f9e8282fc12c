//! Events that NATS has delivered and that are not applied yet.

use std::collections::BTreeMap;

use async_nats::jetstream::message::Acker;

use super::jetstream::Received;
use crate::log::Delivery;

/// The most events that are kept. Further events stay in NATS.
const PENDING_EVENTS_MAX: usize = 10_000;

/// Events by position, with the handles that acknowledge them to NATS.
#[derive(Default)]
pub(super) struct Pending {
    events: BTreeMap<i64, Delivery>,
    /// Acknowledging a message acknowledges all earlier ones, so one handle for every few positions is enough.
    ackers: BTreeMap<i64, Acker>,
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").field("events", &self.events.len()).finish_non_exhaustive()
    }
}

impl Pending {
    pub(super) fn put(&mut self, received: Received) {
        let position = received.delivery.position;
        self.events.insert(position, received.delivery);
        if let Some(acker) = received.acker {
            self.ackers.insert(position, acker);
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.events.len() < PENDING_EVENTS_MAX
    }

    /// Takes the events right behind `after`, up to the first missing one. Earlier events are dropped.
    pub(super) fn take_in_turn(&mut self, after: i64, limit: usize) -> Vec<Delivery> {
        self.events = self.events.split_off(&(after + 1));
        let mut taken = Vec::new();
        let mut next = after + 1;
        while taken.len() < limit
            && let Some(delivery) = self.events.remove(&next)
        {
            taken.push(delivery);
            next += 1;
        }
        taken
    }

    /// Whether later events are here, but the one right behind `after` is not.
    pub(super) fn has_hole(&self, after: i64) -> bool {
        self.events.first_key_value().is_some_and(|(first, _)| *first > after + 1)
    }

    /// Takes the handle that acknowledges everything up to `position`.
    pub(super) fn take_acker(&mut self, position: i64) -> Option<Acker> {
        let later = self.ackers.split_off(&(position + 1));
        let done = std::mem::replace(&mut self.ackers, later);
        done.into_iter().next_back().map(|(_, acker)| acker)
    }
}
