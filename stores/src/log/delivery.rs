//! One event as the feed brings it: decoded, or the reason why it cannot be.

use domain::personal::Keys;
use domain::wire_event::Row;
use domain::{DecodeError, Event, Recorded, UserEvent, WireEvent};
use keyring::{KeyError, Keyring};

/// An event, on its way to a projector.
#[derive(Debug)]
pub struct Delivery {
    /// Its place in the log.
    pub position: i64,
    /// What is held up when it cannot be applied: its workspace, or its stream where it belongs to none.
    pub park_key: String,
    /// The event, or why it cannot be read.
    pub event: Result<Recorded<Event>, DecodeError>,
}

impl Delivery {
    /// Reads a row of the log.
    pub fn of(row: &Row<'_>, keys: &dyn Keys) -> Self {
        Self { position: row.position, park_key: park_key(row), event: row.decode(keys) }
    }
}

/// Deliveries in the making: those whose keys are in memory are read at once, from the bytes that were received; the others are put aside
/// until their keys have been fetched, all in one round trip.
#[derive(Default)]
pub struct Deliveries {
    read: Vec<Delivery>,
    /// Rows that wait for a key, each with its place among `read`.
    waiting: Vec<(usize, WireEvent)>,
}

impl Deliveries {
    /// Room for so many.
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

    /// Takes a row.
    pub fn push(&mut self, row: &Row<'_>, keys: &Keyring) {
        let delivery = Delivery::of(row, keys);
        let missing = delivery.event.as_ref().err().and_then(DecodeError::missing_key);
        if let Some(row) = missing.and_then(|_| row.to_wire()) {
            self.waiting.push((self.read.len(), row));
        }
        if let Ok(Recorded { stream, event: Event::User(UserEvent::Erased { invitations }), .. }) = &delivery.event {
            // Another process may have erased them; and here somebody may just have fetched a key that was there a moment ago.
            keys.forget(stream.id);
            invitations.iter().for_each(|invitation| keys.forget(invitation.0));
        }
        self.read.push(delivery);
    }

    /// All of them, read.
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
