//! The connections of this node, with the states that their clients sent for their users.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::ids::{UserId, WorkspaceId};
use state::presence::Status;
use tokio::time::Instant;
use uuid::Uuid;

/// The connections of this node.
#[derive(Default)]
pub(super) struct Local(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    connections: HashMap<Uuid, Entry>,
    users: HashMap<UserId, Vec<Uuid>>,
    /// Users whose last connection has closed, and the moment at which they are offline if they have not come back.
    lingering: VecDeque<(Instant, UserId)>,
}

struct Entry {
    user_id: UserId,
    status: Status,
    /// The workspaces in which the user's presence was recorded last.
    workspaces: Vec<WorkspaceId>,
}

/// A connection that has closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) status: Status,
    pub(super) workspaces: Vec<WorkspaceId>,
    /// Whether the user has no other connection at this node.
    pub(super) is_last: bool,
}

impl Local {
    /// Adds a connection: its user is online. Returns whether the user's presence at this node has changed.
    pub(super) fn open(&self, connection_id: Uuid, user_id: UserId) -> bool {
        let mut inner = self.lock();
        let before = inner.best(user_id);
        inner.connections.insert(connection_id, Entry { user_id, status: Status::Online, workspaces: Vec::new() });
        inner.users.entry(user_id).or_default().push(connection_id);
        before != inner.best(user_id)
    }

    /// Notes the state that a client sent. Returns whether it sent another one before.
    pub(super) fn set(&self, connection_id: Uuid, status: Status) -> bool {
        let mut inner = self.lock();
        let Some(entry) = inner.connections.get_mut(&connection_id) else { return false };
        std::mem::replace(&mut entry.status, status) != status
    }

    /// Notes the workspaces in which the presence of a connection's user is about to be recorded. Returns the state that the
    /// client sent, or `None` if the connection has closed.
    pub(super) fn recording(&self, connection_id: Uuid, workspaces: &[WorkspaceId]) -> Option<Status> {
        let mut inner = self.lock();
        let entry = inner.connections.get_mut(&connection_id)?;
        workspaces.clone_into(&mut entry.workspaces);
        Some(entry.status)
    }

    /// Whether a connection is open.
    pub(super) fn is_open(&self, connection_id: Uuid) -> bool {
        self.lock().connections.contains_key(&connection_id)
    }

    /// Removes a connection. If it was the user's last one, the user is offline at `offline_at`.
    pub(super) fn close(&self, connection_id: Uuid, offline_at: Instant) -> Option<Closed> {
        let mut inner = self.lock();
        let Entry { user_id, status, workspaces } = inner.connections.remove(&connection_id)?;
        let others = inner.users.get_mut(&user_id)?;
        others.retain(|other| *other != connection_id);
        let is_last = others.is_empty();
        if is_last {
            inner.users.remove(&user_id);
            inner.lingering.push_back((offline_at, user_id));
        }
        Some(Closed { status, workspaces, is_last })
    }

    /// Whether the user has a connection at this node.
    pub(super) fn has(&self, user_id: UserId) -> bool {
        self.lock().users.contains_key(&user_id)
    }

    /// Takes the users whose last connection closed so long ago that they are offline at `now`. Some may have come back
    /// since: the presence must be looked up.
    pub(super) fn take_gone(&self, now: Instant) -> Vec<UserId> {
        let (mut inner, mut gone) = (self.lock(), Vec::new());
        while let Some((_, user_id)) = inner.lingering.pop_front_if(|(offline_at, _)| *offline_at <= now) {
            gone.push(user_id);
        }
        gone
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn best(&self, user_id: UserId) -> Option<Status> {
        let connections = self.users.get(&user_id).into_iter().flatten();
        connections.filter_map(|connection_id| self.connections.get(connection_id)).map(|entry| entry.status).max()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_most_present_connection_counts_and_the_last_one_lingers() {
        let (local, ann) = (Local::default(), UserId(Uuid::from_u128(1)));
        let (desk, phone, now) = (Uuid::from_u128(2), Uuid::from_u128(3), Instant::now());
        assert!(local.open(desk, ann));
        assert!(!local.open(phone, ann), "she was online already");
        assert!(local.set(phone, Status::Away) && !local.set(phone, Status::Away));
        let home = vec![WorkspaceId(Uuid::from_u128(4))];
        assert_eq!(local.recording(desk, &home), Some(Status::Online));
        assert_eq!(local.close(desk, now), Some(Closed { status: Status::Online, workspaces: home, is_last: false }));
        assert!(local.has(ann) && local.take_gone(now).is_empty());
        let later = now + Duration::from_secs(30);
        assert_eq!(local.close(phone, later), Some(Closed { status: Status::Away, workspaces: vec![], is_last: true }));
        assert_eq!((local.close(phone, later), local.recording(phone, &[]), local.has(ann)), (None, None, false));
        assert_eq!((local.take_gone(now), local.take_gone(later), local.take_gone(later)), (vec![], vec![ann], vec![]));
    }
}
