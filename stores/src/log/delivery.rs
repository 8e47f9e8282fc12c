//! One event as the feed delivers it: decoded, or the reason why it cannot be decoded.

use domain::personal::Keys;
use domain::wire_event::Row;
use domain::{DecodeError, Event, Recorded, UserEvent, WireEvent};
use keyring::{KeyError, Keyring};

/// An event on its way to a projector.
#[derive(Debug)]
pub struct Delivery {
    /// The position in the log.
    pub position: i64,
    /// The key that is parked if the event cannot be applied: the workspace, or the stream if it belongs to no
    /// workspace.
    pub park_key: String,
    /// The event, or why it cannot be decoded.
    pub event: Result<Recorded<Event>, DecodeError>,
}

impl Delivery {
    /// Decodes a row of the log.
    pub fn of(row: &Row<'_>, keys: &dyn Keys) -> Self {
        Self { position: row.position, park_key: park_key(row), event: row.decode(keys) }
    }
}

/// Decodes rows into deliveries. A row whose key is in memory is decoded at once from the received bytes. The others
/// wait until their keys are fetched, all in one round trip.
#[derive(Default)]
pub struct Deliveries {
    read: Vec<Delivery>,
    /// Rows that wait for a key, each with its index in `read`.
    waiting: Vec<(usize, WireEvent)>,
}

impl Deliveries {
    /// Space for this many events.
    pub fn with_capacity(events: usize) -> Self {
        Self { read: Vec::with_capacity(events), waiting: Vec::new() }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.read.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read.len()
    }

    /// Adds a row.
    pub fn push(&mut self, row: &Row<'_>, keys: &Keyring) {
        let delivery = Delivery::of(row, keys);
        let missing = delivery.event.as_ref().err().and_then(DecodeError::missing_key);
        if let Some(row) = missing.and_then(|_| row.to_wire()) {
            self.waiting.push((self.read.len(), row));
        }
        if let Ok(Recorded { stream, event: Event::User(UserEvent::Erased { invitations }), .. }) = &delivery.event {
            // Another process may have destroyed the key, and a task of this process may have loaded it a moment
            // before.
            keys.forget(stream.id);
            invitations.iter().for_each(|invitation| keys.forget(invitation.0));
        }
        self.read.push(delivery);
    }

    /// Returns all deliveries, decoded.
    ///
    /// # Errors
    /// The keys cannot be fetched.
    pub async fn finish(mut self, keys: &Keyring) -> Result<Vec<Delivery>, KeyError> {
        if !self.waiting.is_empty() {
            let mut missing = self.waiting.iter().flat_map(|(_, row)| row.as_row().keys()).collect::<Vec<_>>();
            missing.sort_unstable();
            missing.dedup();
            let fetched = keys.fetch(&missing).await?;
            for (place, row) in self.waiting {
                self.read[place] = Delivery::of(&row.as_row(), &fetched);
            }
        }
        Ok(self.read)
    }
}

fn park_key(row: &Row<'_>) -> String {
    match row.workspace_id {
        Some(id) => format!("workspace:{id}"),
        None => format!("{}:{}", row.aggregate_type, row.aggregate_id),
    }
}
