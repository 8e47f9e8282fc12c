//! The users that are connected to this node.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use domain::ids::{SessionId, UserId, WorkspaceId};
use uuid::Uuid;

use super::outbox::Outbox;
use super::sent::Sent;
use crate::client::Connected;
use crate::close::Close;

/// How long the registry remembers a session that has ended. A request that opens a connection takes less time.
const ENDED_KEPT: Duration = Duration::from_secs(300);

/// The most connections.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most bytes that wait for one connection.
    pub queue_bytes: usize,
    /// The most connections of a user.
    pub per_person: usize,
    /// The most connections of an address.
    pub per_address: usize,
    /// The most connections of this node.
    pub all: usize,
    /// The time between two pings of the server, or of a client in a browser, in seconds.
    pub ping_seconds: u64,
}

/// A connection, with its queue.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) connected: Connected,
    pub(super) address: Option<IpAddr>,
    pub(super) outbox: Outbox,
}

/// A connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The user or the address has too many.
    TooMany,
    /// The session has ended.
    SessionEnded,
    /// The node has too many.
    Full,
    /// The node is about to stop.
    Draining,
    /// The node does not know the log yet.
    NotReady,
}

/// A user with connections.
#[derive(Debug, Default)]
struct Person {
    connections: Vec<Arc<Subscriber>>,
    /// The workspaces that the user is or was a member of.
    workspaces: BTreeSet<WorkspaceId>,
}

/// The sessions that have ended lately.
#[derive(Debug, Default)]
struct Ended {
    sessions: HashSet<SessionId>,
    /// The same, the first that ended first.
    in_order: VecDeque<(Instant, SessionId)>,
}

impl Ended {
    fn add(&mut self, session_id: SessionId) {
        let now = Instant::now();
        while let Some((_, old)) = self.in_order.pop_front_if(|(at, _)| now - *at > ENDED_KEPT) {
            self.sessions.remove(&old);
        }
        if self.sessions.insert(session_id) {
            self.in_order.push_back((now, session_id));
        }
    }

    fn has(&self, session_id: SessionId) -> bool {
        self.sessions.contains(&session_id)
    }
}

/// The connections of this node, and the position that they have reached.
#[derive(Debug, Default)]
pub(super) struct Registry {
    /// Every event up to here was given to the connections. `None` if the log was not read yet.
    position: Option<i64>,
    people: HashMap<UserId, Person>,
    connections: HashMap<Uuid, Arc<Subscriber>>,
    addresses: HashMap<IpAddr, usize>,
    /// The number of connected people of each workspace.
    workspaces: HashMap<WorkspaceId, usize>,
    /// Sessions that have just ended. A request may have looked up its session before.
    ended: Ended,
    is_draining: bool,
}

impl Registry {
    pub(super) fn position(&self) -> Option<i64> {
        self.position
    }

    pub(super) fn reached(&mut self, position: i64) {
        self.position = Some(position);
    }

    /// The log is not read any more.
    pub(super) fn lost(&mut self) {
        self.position = None;
    }

    /// Adds a connection of a member of these workspaces. It gets the events behind the returned position.
    pub(super) fn add(&mut self, one: &Arc<Subscriber>, workspaces: &[WorkspaceId], bounds: &Bounds) -> Result<i64, Refusal> {
        let position = self.position.ok_or(Refusal::NotReady)?;
        if self.is_draining {
            return Err(Refusal::Draining);
        }
        if self.ended.has(one.connected.session_id) {
            return Err(Refusal::SessionEnded);
        }
        if self.connections.len() >= bounds.all {
            return Err(Refusal::Full);
        }
        let user_id = one.connected.user_id;
        let of_person = self.people.get(&user_id).map_or(0, |person| person.connections.len());
        let of_address = one.address.and_then(|address| self.addresses.get(&address)).copied().unwrap_or(0);
        if of_person >= bounds.per_person || of_address >= bounds.per_address {
            return Err(Refusal::TooMany);
        }
        one.outbox.begin(position);
        if let Some(address) = one.address {
            *self.addresses.entry(address).or_default() += 1;
        }
        self.connections.insert(one.connected.connection_id, one.clone());
        self.people.entry(user_id).or_default().connections.push(one.clone());
        workspaces.iter().for_each(|workspace_id| self.joined(user_id, *workspace_id));
        Ok(position)
    }

    /// Removes a connection, if it is there.
    pub(super) fn remove(&mut self, one: &Subscriber) {
        if self.connections.remove(&one.connected.connection_id).is_none() {
            return;
        }
        if let Some(address) = one.address
            && let Some(count) = self.addresses.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&address);
            }
        }
        let user_id = one.connected.user_id;
        let Some(person) = self.people.get_mut(&user_id) else { return };
        person.connections.retain(|other| other.connected.connection_id != one.connected.connection_id);
        if !person.connections.is_empty() {
            return;
        }
        let workspaces = std::mem::take(&mut person.workspaces);
        self.people.remove(&user_id);
        for workspace_id in workspaces {
            if let Some(count) = self.workspaces.get_mut(&workspace_id) {
                *count -= 1;
                if *count == 0 {
                    self.workspaces.remove(&workspace_id);
                }
            }
        }
    }

    /// A connection that was catching up begins again at the returned position.
    pub(super) fn begin_again(&self, one: &Subscriber) -> i64 {
        let position = self.position.unwrap_or(i64::MAX);
        one.outbox.begin(position);
        position
    }

    /// Notes that a user is a member of a workspace, if the user is connected.
    pub(super) fn joined(&mut self, user_id: UserId, workspace_id: WorkspaceId) {
        if let Some(person) = self.people.get_mut(&user_id)
            && person.workspaces.insert(workspace_id)
        {
            *self.workspaces.entry(workspace_id).or_default() += 1;
        }
    }

    /// The workspaces that a connected user is or was a member of.
    pub(super) fn workspaces_of(&self, user_id: UserId) -> Vec<WorkspaceId> {
        self.people.get(&user_id).map(|person| person.workspaces.iter().copied().collect()).unwrap_or_default()
    }

    /// The workspaces that connected users are or were members of.
    pub(super) fn workspaces(&self) -> Vec<WorkspaceId> {
        self.workspaces.keys().copied().collect()
    }

    pub(super) fn has_people_of(&self, workspace_id: WorkspaceId) -> bool {
        self.workspaces.contains_key(&workspace_id)
    }

    pub(super) fn is_connected(&self, user_id: UserId) -> bool {
        self.people.contains_key(&user_id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    /// The number of connected people.
    pub(super) fn people(&self) -> usize {
        self.people.len()
    }

    /// Calls `each` with every connected person.
    pub(super) fn for_each_person(&self, each: impl FnMut(UserId)) {
        self.people.keys().copied().for_each(each);
    }

    /// Gives a frame to all connections of a user.
    pub(super) fn push(&self, user_id: UserId, frame: &Arc<Sent>, wakers: &mut Vec<Waker>) {
        let Some(person) = self.people.get(&user_id) else { return };
        wakers.extend(person.connections.iter().filter_map(|one| one.outbox.push(frame)));
    }

    /// Gives a frame to one connection.
    pub(super) fn push_to(&self, connection_id: Uuid, frame: &Arc<Sent>, wakers: &mut Vec<Waker>) {
        wakers.extend(self.connections.get(&connection_id).and_then(|one| one.outbox.push(frame)));
    }

    /// Ends the connections of a user: those of one session, or all.
    pub(super) fn end(&mut self, user_id: UserId, session: Option<SessionId>, close: Close) -> Vec<Waker> {
        if let Some(session_id) = session {
            self.ended.add(session_id);
        }
        let Some(person) = self.people.get(&user_id) else { return Vec::new() };
        let concerned = person.connections.iter().filter(|one| session.is_none_or(|session_id| one.connected.session_id == session_id));
        concerned.filter_map(|one| one.outbox.end(close)).collect()
    }

    /// Ends all connections.
    pub(super) fn end_all(&self, close: Close) -> Vec<Waker> {
        self.connections.values().filter_map(|one| one.outbox.end(close)).collect()
    }

    /// Takes no further connection, and asks all to come back at moments that are spread over this time.
    pub(super) fn drain(&mut self, over: Duration) -> Vec<Waker> {
        self.is_draining = true;
        let all = u32::try_from(self.connections.len()).unwrap_or(u32::MAX).max(1);
        // The order of a hash map is nearly random.
        let asked = (0..).zip(self.connections.values()).map(|(n, one)| one.outbox.push(&Sent::reconnect(over * n / all)));
        asked.flatten().collect()
    }
}
