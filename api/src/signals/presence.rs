//! Presence, for the connections that watch these people and may see them now.

use std::collections::{BTreeSet, HashMap};

use commands::{CommandError, Sight};
use domain::Workspace;
use domain::ids::{UserId, WorkspaceId};
use domain::permission::Permission;
use futures::{StreamExt, stream};
use live::watches::{PresenceUpdate, PresenceWord};
use live::{Connected, EphemeralKind, Recipients};
use state::presence::{Device, PEOPLE_MAX, Status, most_present};
use uuid::Uuid;

use super::Signals;
use super::frames::{PresenceFields, PresenceOfPerson, frame};
use crate::http::sight::sight_of;
use crate::problem::Problem;

/// The most people who are looked up in one step.
const LOOKED_UP_MAX: usize = 2_000;
/// The most connections, workspaces or guests that are worked on at a time.
pub(super) const AT_ONCE: usize = 16;

impl Signals {
    /// Replaces the watched people of the connections that asked since the last step. People whom the user does not see are
    /// left out.
    pub(super) async fn watch_as_asked(&self) {
        let asked = stream::iter(self.0.to_watch.take());
        asked.for_each_concurrent(AT_ONCE, |(connection, users)| self.watch(connection, users)).await;
    }

    async fn watch(&self, connection: Connected, users: Vec<UserId>) {
        let Ok(people) = self.seen_among(connection.user_id, &users).await else {
            // A store does not answer. A later request replaces this one.
            if self.0.local.is_open(connection.connection_id) {
                self.0.to_watch.put_unless_newer(&connection, users);
            }
            return;
        };
        self.0.watches.watch(connection.connection_id, connection.user_id, people);
        if !self.0.local.is_open(connection.connection_id) {
            self.0.watches.forget(connection.connection_id);
        }
    }

    async fn seen_among(&self, user_id: UserId, users: &[UserId]) -> Result<BTreeSet<(UserId, WorkspaceId)>, Problem> {
        if users.is_empty() {
            return Ok(BTreeSet::new());
        }
        let parts = &self.0.parts;
        let access = parts.commands.read_access(user_id).await?;
        let mut seen = BTreeSet::new();
        for workspace_id in access.workspaces_among(&parts.hub.workspaces_of(user_id)).await? {
            let members = match access.active_members_among(workspace_id, users).await {
                // The user may not list the members of this workspace, and gets the presence of none of them.
                Err(CommandError::Refused(_)) => continue,
                members => members?,
            };
            let sight = sight_of(&parts.read_models, &access, workspace_id).await?;
            seen.extend(members.into_iter().filter(|person| sight.sees(*person)).map(|person| (person, workspace_id)));
        }
        Ok(seen)
    }

    /// Looks up the people who are due, and sends the changes. People who cannot be looked up now are due again.
    pub(super) async fn send_presence(&self) {
        let due = self.0.watches.take_due(LOOKED_UP_MAX);
        if due.is_empty() {
            return;
        }
        let ids = due.keys().copied().collect::<Vec<_>>();
        let workspaces = self.0.parts.commands.workspace_states(&ids).await.unwrap_or_default();
        let workspaces = &workspaces;
        let each = |(workspace_id, people): (WorkspaceId, Vec<UserId>)| async move {
            match workspaces.get(&workspace_id) {
                Some(workspace) => self.send_presence_in(workspace_id, workspace, &people).await,
                None => self.0.watches.put_back(workspace_id, &people),
            }
        };
        stream::iter(due).for_each_concurrent(AT_ONCE, each).await;
    }

    async fn send_presence_in(&self, workspace_id: WorkspaceId, workspace: &Workspace, people: &[UserId]) {
        for some in people.chunks(PEOPLE_MAX) {
            match self.0.parts.presences.of(workspace_id, some).await {
                Ok(devices) => self.send_presence_of(workspace_id, workspace, some, &devices).await,
                Err(_) => self.0.watches.put_back(workspace_id, some),
            }
        }
    }

    async fn send_presence_of(&self, workspace_id: WorkspaceId, workspace: &Workspace, people: &[UserId], devices: &[Vec<Device>]) {
        let presences = people.iter().copied().zip(devices.iter().map(|devices| word(devices)));
        let presences = presences.filter(|(person, _)| workspace.active_member(*person).is_some()).collect::<Vec<_>>();
        let updates = self.0.watches.take_updates(workspace_id, &presences);
        let may_list = |user_id: UserId| workspace.allows(user_id, Permission::MemberList);
        let watchers = updates.iter().map(|update| update.user_id);
        let guests = watchers.filter(|user_id| may_list(*user_id) && workspace.has_guest(*user_id)).collect::<BTreeSet<_>>();
        let sights = self.sights_of_guests(guests, workspace_id).await;
        let mut alike = HashMap::<Vec<(UserId, PresenceWord)>, Vec<Uuid>>::new();
        for PresenceUpdate { connection_id, user_id, mut people } in updates {
            let mut hidden = Vec::new();
            if !may_list(user_id) {
                hidden = std::mem::take(&mut people);
            } else if let Some(sight) = sights.get(&user_id) {
                let sees = |person: UserId| sight.as_ref().is_some_and(|sight| sight.sees(person));
                (people, hidden) = people.into_iter().partition(|(person, _)| sees(*person));
            }
            // The user may see them again later, or a store that does not answer now answers then.
            self.0.watches.undelivered(connection_id, workspace_id, hidden.into_iter().map(|(person, _)| person));
            if !people.is_empty() {
                alike.entry(people).or_default().push(connection_id);
            }
        }
        // Many connections watch the same people. They share a frame.
        for (people, connections) in alike {
            let people = people.into_iter().map(|(user_id, presence)| PresenceOfPerson { user_id, presence }).collect();
            if let Some(frame) = frame(EphemeralKind::Presence, &PresenceFields { workspace_id, people }) {
                self.0.parts.hub.send(Recipients::Connections(connections), frame);
            }
        }
    }

    /// The people whom each of these guests sees now. Some guests are read at a time.
    async fn sights_of_guests(&self, guests: BTreeSet<UserId>, workspace_id: WorkspaceId) -> HashMap<UserId, Option<Sight>> {
        let sight = |user_id: UserId| async move { (user_id, self.sight_of_guest(user_id, workspace_id).await) };
        stream::iter(guests).map(sight).buffer_unordered(AT_ONCE).collect().await
    }

    /// The people whom a guest sees now. `None` if it cannot be read: the guest gets nothing.
    async fn sight_of_guest(&self, user_id: UserId, workspace_id: WorkspaceId) -> Option<Sight> {
        // The bound holds for all workspaces together.
        let _place = self.0.reading_sights.acquire().await;
        let access = self.0.parts.commands.read_access(user_id).await.ok()?;
        sight_of(&self.0.parts.read_models, &access, workspace_id).await.ok()
    }
}

fn word(devices: &[Device]) -> PresenceWord {
    match most_present(devices).map(|(device, _)| device.status) {
        Some(Status::Dnd) => PresenceWord::Dnd,
        Some(Status::Online) => PresenceWord::Online,
        Some(Status::Away) => PresenceWord::Away,
        None => PresenceWord::Offline,
    }
}
