//! The requests of clients since the last step. The latest counts: a client that asks a hundred times in a second causes no
//! more work than one that asks four times.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use domain::ids::UserId;
use live::Connected;
use uuid::Uuid;

/// The latest request of each connection.
pub(super) struct Asked<T>(Mutex<HashMap<Uuid, (Connected, T)>>);

/// The people whom connections want to watch.
pub(super) type ToWatch = Asked<Vec<UserId>>;
/// The connections whose clients changed the state of their users.
pub(super) type Said = Asked<()>;

impl<T> Default for Asked<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Asked<T> {
    /// Notes the request of a connection.
    pub(super) fn put(&self, connection: &Connected, what: T) {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert(connection.connection_id, (connection.clone(), what));
    }

    /// Notes an earlier request of a connection, unless there is a later one.
    pub(super) fn put_unless_newer(&self, connection: &Connected, what: T) {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.entry(connection.connection_id).or_insert_with(|| (connection.clone(), what));
    }

    /// Takes all.
    pub(super) fn take(&self) -> Vec<(Connected, T)> {
        let asked = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        asked.into_values().collect()
    }
}
