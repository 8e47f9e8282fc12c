//! The people whose presence the connections of this node watch.
//!
//! A client names the people whose presence it shows, and gets no others. So the cost of a change depends on the number of
//! clients that watch the person, and each client gets the changes together in one frame. The presence that was sent last
//! is kept for each person, so that a change that was noticed twice is sent once.
//!
//! Not here: the presence itself (`state`), and the check that the user may see the person (`api`), before each frame.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::ids::{UserId, WorkspaceId};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// The most people that one connection may watch.
pub const WATCHED_MAX: usize = 200;

/// The presence of a person, in the words of `GET …/presence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PresenceWord {
    /// On at least one device, with the status "do not disturb".
    Dnd,
    /// On at least one device.
    Online,
    /// On devices that are all idle.
    Away,
    /// On no device.
    Offline,
}

/// A person in a workspace.
pub type Person = (UserId, WorkspaceId);

/// The presence of people in one workspace, for one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceUpdate {
    /// The connection.
    pub connection_id: Uuid,
    /// The user of the connection.
    pub user_id: UserId,
    /// The people, and the presence of each.
    pub people: Vec<(UserId, PresenceWord)>,
}

/// The watched people of a node.
#[derive(Default)]
pub struct Watches(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    connections: HashMap<Uuid, Watcher>,
    people: BTreeMap<Person, Watched>,
    /// The people whose presence must be looked up.
    due: BTreeSet<Person>,
    /// The person who was taken last of those that were due.
    taken: Option<Person>,
    /// The person up to whom the last refresh came.
    refreshed: Option<Person>,
}

struct Watcher {
    user_id: UserId,
    people: BTreeSet<Person>,
}

#[derive(Default)]
struct Watched {
    by: HashSet<Uuid>,
    /// Those of them that do not know the presence yet. They get it with the next lookup, also if it has not changed.
    newcomers: HashSet<Uuid>,
    sent: Option<PresenceWord>,
}

impl Watches {
    /// Replaces the people that a connection watches. They are due, so that the connection gets the presence of each.
    pub fn watch(&self, connection_id: Uuid, user_id: UserId, people: BTreeSet<Person>) {
        let mut inner = self.lock();
        inner.forget(connection_id);
        for person in &people {
            let watched = inner.people.entry(*person).or_default();
            watched.by.insert(connection_id);
            watched.newcomers.insert(connection_id);
            inner.due.insert(*person);
        }
        if !people.is_empty() {
            inner.connections.insert(connection_id, Watcher { user_id, people });
        }
    }

    /// Forgets a connection that has ended.
    pub fn forget(&self, connection_id: Uuid) {
        self.lock().forget(connection_id);
    }

    /// Notes that the presence of a user may have changed. Users whom nobody watches here cost nothing.
    pub fn note(&self, user_id: UserId) {
        let mut inner = self.lock();
        let watched = inner.people.range((user_id, WorkspaceId(Uuid::nil()))..=(user_id, WorkspaceId(Uuid::max())));
        let watched = watched.map(|(person, _)| *person).collect::<Vec<_>>();
        inner.due.extend(watched);
    }

    /// Notes the next of all watched people: one of `parts`. A notice may be lost, and presence may end without one.
    pub fn refresh(&self, parts: usize) {
        let mut inner = self.lock();
        let share = inner.people.len().div_ceil(parts.max(1));
        let begin = inner.refreshed.map_or(Unbounded, Excluded);
        let next = inner.people.range((begin, Unbounded)).take(share).map(|(person, _)| *person).collect::<Vec<_>>();
        inner.refreshed = if next.len() < share { None } else { next.last().copied() };
        inner.due.extend(next);
    }

    /// Takes at most `most` of the people who are due, by workspace. It begins behind the person who was taken last, so
    /// that everybody's turn comes although many are due again and again.
    #[must_use]
    pub fn take_due(&self, most: usize) -> BTreeMap<WorkspaceId, Vec<UserId>> {
        let mut inner = self.lock();
        let begin = inner.taken.map_or(Unbounded, Excluded);
        let (behind, most) = (inner.due.range((begin, Unbounded)), most.min(inner.due.len()));
        let taken = behind.chain(&inner.due).take(most).copied().collect::<Vec<_>>();
        inner.taken = taken.last().copied().or(inner.taken);
        let mut by_workspace = BTreeMap::<_, Vec<_>>::new();
        for person in taken {
            inner.due.remove(&person);
            by_workspace.entry(person.1).or_default().push(person.0);
        }
        by_workspace
    }

    /// Makes people due again, because they could not be looked up.
    pub fn put_back(&self, workspace_id: WorkspaceId, people: &[UserId]) {
        let mut inner = self.lock();
        let people = people.iter().map(|user_id| (*user_id, workspace_id));
        let watched = people.filter(|person| inner.people.contains_key(person)).collect::<Vec<_>>();
        inner.due.extend(watched);
    }

    /// Notes the presence of people, and returns the frames for the connections: for those that know nothing of a person
    /// yet, and for all if the presence has changed.
    #[must_use]
    pub fn take_updates(&self, workspace_id: WorkspaceId, presences: &[(UserId, PresenceWord)]) -> Vec<PresenceUpdate> {
        let mut inner = self.lock();
        let mut updates = BTreeMap::<Uuid, Vec<(UserId, PresenceWord)>>::new();
        for (user_id, presence) in presences {
            let Some(watched) = inner.people.get_mut(&(*user_id, workspace_id)) else { continue };
            let newcomers = std::mem::take(&mut watched.newcomers);
            let is_news = watched.sent.replace(*presence) != Some(*presence);
            for connection_id in if is_news { &watched.by } else { &newcomers } {
                updates.entry(*connection_id).or_default().push((*user_id, *presence));
            }
        }
        let update = |(connection_id, people)| {
            let user_id = inner.connections.get(&connection_id)?.user_id;
            Some(PresenceUpdate { connection_id, user_id, people })
        };
        updates.into_iter().filter_map(update).collect()
    }

    /// Notes that a connection was not given what [`take_updates`](Self::take_updates) returned for it. It gets them with
    /// their next lookup: within a minute, if nothing happens before.
    pub fn undelivered(&self, connection_id: Uuid, workspace_id: WorkspaceId, people: impl IntoIterator<Item = UserId>) {
        let mut inner = self.lock();
        for user_id in people {
            if let Some(watched) = inner.people.get_mut(&(user_id, workspace_id))
                && watched.by.contains(&connection_id)
            {
                watched.newcomers.insert(connection_id);
            }
        }
    }

    /// The number of people whom connections of this node watch.
    #[must_use]
    pub fn people(&self) -> usize {
        self.lock().people.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget(&mut self, connection_id: Uuid) {
        let Some(watcher) = self.connections.remove(&connection_id) else { return };
        for person in watcher.people {
            let Some(watched) = self.people.get_mut(&person) else { continue };
            watched.by.remove(&connection_id);
            watched.newcomers.remove(&connection_id);
            if watched.by.is_empty() {
                self.people.remove(&person);
                self.due.remove(&person);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PresenceWord::{Away, Offline, Online};
    use super::*;

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    const HOME: WorkspaceId = WorkspaceId(Uuid::from_u128(9));

    fn person(n: u128) -> Person {
        (UserId(id(n)), HOME)
    }

    fn watching(watches: &Watches, connection: u128, people: &[u128]) {
        watches.watch(id(connection), UserId(id(connection)), people.iter().map(|n| person(*n)).collect());
    }

    fn updates(watches: &Watches, people: &[(u128, PresenceWord)]) -> Vec<(u128, Vec<(u128, PresenceWord)>)> {
        let people = people.iter().map(|(n, word)| (UserId(id(*n)), *word)).collect::<Vec<_>>();
        let numbers = |people: Vec<(UserId, PresenceWord)>| people.into_iter().map(|(user, word)| (user.0.as_u128(), word)).collect();
        let updates = watches.take_updates(HOME, &people).into_iter();
        updates.map(|update| (update.connection_id.as_u128(), numbers(update.people))).collect()
    }

    #[test]
    fn a_change_is_told_once_to_those_who_asked_and_in_one_frame() {
        let watches = Watches::default();
        watching(&watches, 1, &[10, 11]);
        watching(&watches, 2, &[11]);
        assert_eq!(watches.take_due(9)[&HOME], [UserId(id(10)), UserId(id(11))]);
        assert_eq!(updates(&watches, &[(10, Offline), (11, Online)]), [(1, vec![(10, Offline), (11, Online)]), (2, vec![(11, Online)])]);
        assert_eq!(updates(&watches, &[(10, Offline), (11, Online)]), [], "nothing has changed");
        watches.note(UserId(id(11)));
        watches.note(UserId(id(12)));
        assert_eq!(watches.take_due(9)[&HOME], [UserId(id(11))], "nobody watches the other");
        assert_eq!(updates(&watches, &[(11, Away), (12, Online)]), [(1, vec![(11, Away)]), (2, vec![(11, Away)])]);
    }

    #[test]
    fn everybody_who_is_due_is_taken_although_the_first_are_due_again_and_again() {
        let watches = Watches::default();
        watching(&watches, 1, &[10, 11, 12, 13, 14]);
        let take = || watches.take_due(2).remove(&HOME).unwrap_or_default().iter().map(|user_id| user_id.0.as_u128()).collect::<Vec<_>>();
        let mut taken = Vec::new();
        for _ in 0..4 {
            taken.push(take());
            [10, 11].iter().for_each(|n| watches.note(UserId(id(*n))));
        }
        assert_eq!(taken, [[10, 11], [12, 13], [14, 10], [11, 10]]);
        assert_eq!((take(), take()), (vec![11, 10], vec![]), "nobody is taken twice at once");
    }

    #[test]
    fn a_newcomer_is_told_although_nothing_has_changed_and_a_lookup_that_failed_is_repeated() {
        let watches = Watches::default();
        watching(&watches, 1, &[10]);
        assert_eq!(updates(&watches, &[(10, Online)]), [(1, vec![(10, Online)])]);
        watching(&watches, 2, &[10]);
        let due = watches.take_due(9);
        watches.put_back(HOME, &due[&HOME]);
        assert_eq!(watches.take_due(9).len(), 1);
        assert_eq!(updates(&watches, &[(10, Online)]), [(2, vec![(10, Online)])]);
    }

    #[test]
    fn a_connection_that_could_not_be_told_is_told_later_although_nothing_has_changed() {
        let watches = Watches::default();
        watching(&watches, 1, &[10]);
        watching(&watches, 2, &[10]);
        assert_eq!(updates(&watches, &[(10, Online)]).len(), 2);
        watches.undelivered(id(1), HOME, [UserId(id(10))]);
        watches.undelivered(id(3), HOME, [UserId(id(10)), UserId(id(11))]);
        assert_eq!(updates(&watches, &[(10, Online)]), [(1, vec![(10, Online)])]);
        assert_eq!(updates(&watches, &[(10, Online)]), []);
    }

    #[test]
    fn who_has_gone_or_watches_others_is_told_no_more() {
        let watches = Watches::default();
        watching(&watches, 1, &[10]);
        watching(&watches, 2, &[10]);
        watching(&watches, 2, &[11]);
        watches.forget(id(1));
        assert_eq!(updates(&watches, &[(10, Online), (11, Online)]), [(2, vec![(11, Online)])]);
        assert_eq!(watches.people(), 1);
        watching(&watches, 2, &[]);
        assert_eq!((watches.people(), watches.take_due(9).len()), (0, 0), "nothing is left of them");
    }

    #[test]
    fn a_refresh_comes_to_everybody_in_turn() {
        let watches = Watches::default();
        watching(&watches, 1, &[10, 11, 12, 13, 14]);
        let _ = watches.take_due(9);
        let mut seen = BTreeSet::new();
        for _ in 0..3 {
            watches.refresh(2);
            seen.extend(watches.take_due(9).remove(&HOME).unwrap_or_default());
        }
        assert_eq!(seen.len(), 5);
    }
}
