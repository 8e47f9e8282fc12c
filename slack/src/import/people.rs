//! The users of the export: people, bots that posted, and people who appear in the export only by their identifier.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::ids::UserId;
use domain::permission::Role;
use domain::text::{Email, Username};
use domain::{StreamId, Workspace, WorkspaceEvent};

use super::ImportError;
use super::model::{SlackUser, some};
use super::names::{self, GivenNames};
use super::outbox::{Item, LookUp, original, user_item};
use super::profile::{self, NewUser};
use super::run::Run;
use super::sink::Sink;
use commands::event_store::names as claims;
use commands::event_store::{StoreError, StreamWrite};

/// How many users are looked up and registered at once. Each has at most two events in the workspace, so they fit into
/// a batch.
const USERS_AT_A_TIME: usize = 500;

/// The users behind the export's identifiers.
#[derive(Debug, Default)]
pub(super) struct People {
    known: HashMap<String, UserId>,
    /// Identifiers of users that were computed from the export's.
    computed: HashSet<UserId>,
    /// The users that belong in #general.
    general_members: Vec<UserId>,
    usernames: GivenNames,
    /// The identifier of the user that gets an address, by the address.
    owners: HashMap<String, String>,
    /// The addresses of users that an earlier run registered, of this export or of an earlier one.
    held: HashSet<String>,
}

/// How a user of the export becomes a user of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UserOrigin {
    /// The import registers the user.
    New,
    /// An earlier run registered the user.
    Existing,
    /// An account of this server has the same address.
    Linked,
}

/// A person that the export refers to without listing it, and that needs a user.
#[derive(Clone, Debug)]
pub(super) struct UnlistedPerson {
    pub slack_id: String,
    pub name: Option<String>,
    pub is_bot: bool,
    pub avatar: Option<String>,
}

impl People {
    pub(super) fn find(&self, slack_id: &str) -> Option<UserId> {
        self.known.get(slack_id).copied()
    }

    /// The listed users that belong in #general.
    pub(super) fn general_members(&self) -> impl Iterator<Item = UserId> {
        self.general_members.iter().copied()
    }

    /// Registers the export's users, and adds them to the workspace.
    pub(super) async fn import<S: Sink>(
        run: &mut Run<'_, S>,
        users: Vec<SlackUser>,
        workspace: &Workspace,
        version: &mut i64,
    ) -> Result<Self, ImportError> {
        let mut people = Self::default();
        let users = people.listed(run, users);
        let users = users.as_slice();
        let standings = people.recognise(run, users).await?;
        fits(workspace, users, &people)?;
        for (users, standings) in users.chunks(USERS_AT_A_TIME).zip(standings.chunks(USERS_AT_A_TIME)) {
            people.register_listed(run, users, standings).await?;
        }
        let unlisted = people.not_yet_members(workspace, users).into_iter().collect::<Vec<_>>();
        for unlisted in unlisted.chunks(USERS_AT_A_TIME) {
            add_members(run, unlisted, version).await?;
        }
        Ok(people)
    }

    /// The users with an identifier of their own. Deleted users come first: they are added and deactivated again while
    /// there is room.
    fn listed<S>(&mut self, run: &mut Run<'_, S>, users: Vec<SlackUser>) -> Vec<SlackUser> {
        let mut seen = HashSet::new();
        let mut listed = Vec::with_capacity(users.len());
        for user in users {
            match some(user.id.as_ref()) {
                Some(id) if seen.insert(id.to_owned()) => {
                    self.computed.insert(run.ids.user(id));
                    listed.push(user);
                }
                id => {
                    run.report.users.skipped += 1;
                    let name = format!("{} {}", id.unwrap_or_default(), user.name.as_deref().unwrap_or_default());
                    run.report.skip("user without an identifier of their own", || name);
                }
            }
        }
        listed.sort_by_key(|user| !user.deleted);
        self.owners = owners_of_addresses(&listed);
        listed
    }

    /// Whether the address is this user's, and not another's who has the same one.
    fn owns(&self, slack_id: &str, email: &Email) -> bool {
        self.owners.get(&email.folded()).is_some_and(|owner| owner == slack_id)
    }

    /// Finds the users that already exist on this server. Appends nothing.
    async fn recognise<S: Sink>(&mut self, run: &mut Run<'_, S>, users: &[SlackUser]) -> Result<Vec<UserOrigin>, StoreError> {
        let mut standings = Vec::with_capacity(users.len());
        for users in users.chunks(USERS_AT_A_TIME) {
            let streams = users.iter().map(|user| StreamId::user(run.ids.user(id_of(user)))).collect::<Vec<_>>();
            let versions = run.sink.versions(&streams).await?;
            let emails = users.iter().filter_map(profile::email).flat_map(|email| claims::of_email(&email)).collect::<Vec<_>>();
            let holders = run.sink.holders(&emails).await?;
            let holder_of = |email: Email| claims::of_email(&email).iter().find_map(|claim| holders.get(claim).copied());
            for (user, stream) in users.iter().zip(streams) {
                let email = profile::email(user).filter(|email| self.owns(id_of(user), email));
                let holder = email.clone().and_then(holder_of).map(UserId);
                if let Some(email) = email.filter(|_| holder.is_some_and(|holder| holder.0 != stream.id)) {
                    self.held.insert(email.folded());
                }
                let (id, standing) = match holder.filter(|holder| !self.computed.contains(holder)) {
                    _ if versions.contains_key(&stream) => (UserId(stream.id), UserOrigin::Existing),
                    Some(holder) => (holder, UserOrigin::Linked),
                    None => (UserId(stream.id), UserOrigin::New),
                };
                self.know(user, id);
                standings.push(standing);
            }
        }
        Ok(standings)
    }

    /// A bot's user is also found by the bot's identifier.
    fn know(&mut self, user: &SlackUser, id: UserId) {
        self.known.insert(id_of(user).to_owned(), id);
        if belongs_in_general(user) {
            self.general_members.push(id);
        }
        if let Some(bot_id) = user.profile.as_ref().and_then(|profile| some(profile.bot_id.as_ref())) {
            self.known.insert(bot_id.to_owned(), id);
        }
    }

    async fn register_listed<S: Sink>(
        &mut self,
        run: &mut Run<'_, S>,
        users: &[SlackUser],
        standings: &[UserOrigin],
    ) -> Result<(), ImportError> {
        let mut new_users = Vec::new();
        for (user, standing) in users.iter().zip(standings) {
            match standing {
                UserOrigin::New => new_users.push(profile::new_user(user, run)?),
                UserOrigin::Existing => run.report.users.already_there += 1,
                UserOrigin::Linked => {
                    run.report.users.already_there += 1;
                    run.report.turned("user linked to the account of this server that has their address", || label(user));
                }
            }
        }
        run.report.users.imported += new_users.len() as u64;
        self.register(run, new_users).await
    }

    async fn register<S: Sink>(&mut self, run: &mut Run<'_, S>, new_users: Vec<NewUser>) -> Result<(), ImportError> {
        let wanted = new_users.iter().map(|new_user| (new_user.name.clone(), new_user.slack_id.as_str())).collect::<Vec<_>>();
        let usernames = names::free::<Username, S>(run.sink, run.settings.workspace_id, &mut self.usernames, &wanted, &run.ids).await?;
        for (new_user, username) in new_users.into_iter().zip(usernames) {
            if username != new_user.name.trim() {
                run.report.turned("username into one that is allowed and free", || format!("{} into {username}", new_user.name));
            }
            let user_id = run.ids.user(&new_user.slack_id);
            let email = self.own_email(run, &new_user)?;
            let username = Username::parse(&username)?;
            let claims = claims::of_email(&email).into_iter().chain(claims::of_username(&username));
            let claims = claims.map(|claim| claim.taken_by(user_id)).collect();
            let at = new_user.at;
            let events = new_user.events(email, &username);
            let events = events.into_iter().map(|event| original(event, user_id, at)).collect();
            run.outbox.push(user_item(user_id, events, claims)).await?;
        }
        Ok(())
    }

    fn own_email<S>(&mut self, run: &mut Run<'_, S>, new_user: &NewUser) -> Result<Email, ImportError> {
        if let Some(email) = &new_user.email {
            if self.owns(&new_user.slack_id, email) && !self.held.contains(&email.folded()) {
                return Ok(email.clone());
            }
            run.report
                .turned("address that another user of the export has into a made-up one", || format!("{} {email}", new_user.slack_id));
        }
        Ok(names::made_up_email(&new_user.slack_id, &run.ids)?)
    }

    /// The users that are not and never were members, each once: several may be linked to one account.
    fn not_yet_members<'u>(&self, workspace: &Workspace, users: &'u [SlackUser]) -> BTreeMap<UserId, &'u SlackUser> {
        let with_id = users.iter().filter_map(|user| Some((self.find(id_of(user))?, user)));
        with_id.filter(|(id, _)| !workspace.members.contains_key(id)).collect()
    }

    /// Makes users of people that the list lacks.
    pub(super) async fn make<S: Sink>(&mut self, run: &mut Run<'_, S>, unlisted: Vec<UnlistedPerson>) -> Result<(), ImportError> {
        let mut unlisted = unlisted;
        unlisted.retain(|person| self.find(&person.slack_id).is_none());
        unlisted.sort_by(|a, b| (&a.slack_id, a.name.is_none()).cmp(&(&b.slack_id, b.name.is_none())));
        unlisted.dedup_by(|a, b| a.slack_id == b.slack_id);
        if unlisted.is_empty() {
            return Ok(());
        }
        let streams = unlisted.iter().map(|s| StreamId::user(run.ids.user(&s.slack_id))).collect::<Vec<_>>();
        let versions = run.sink.versions(&streams).await?;
        let mut new_users = Vec::new();
        for (person, stream) in unlisted.into_iter().zip(streams) {
            self.known.insert(person.slack_id.clone(), UserId(stream.id));
            let kind = if person.is_bot {
                "program that is in no list into a user of its own"
            } else {
                "unknown person into a user without a membership"
            };
            run.report.turned(kind, || format!("{} {}", person.slack_id, person.name.as_deref().unwrap_or_default()));
            if !versions.contains_key(&stream) {
                new_users.push(profile::of_unlisted(person, run.began_at)?);
            }
        }
        self.register(run, new_users).await
    }
}

/// The user that gets each address: of several users with one address the first that is not deleted and no bot, or else
/// the first. Slack lets somebody come back with the address of their deleted account.
fn owners_of_addresses(users: &[SlackUser]) -> HashMap<String, String> {
    let mut owners = HashMap::<String, (&SlackUser, (bool, bool))>::new();
    for user in users {
        let Some(email) = profile::email(user) else { continue };
        let rank = (user.deleted, user.is_bot);
        let owner = owners.entry(email.folded()).or_insert((user, rank));
        if rank < owner.1 {
            *owner = (user, rank);
        }
    }
    owners.into_iter().map(|(email, (user, _))| (email, id_of(user).to_owned())).collect()
}

/// Adds users to the workspace. A user that is deleted in Slack is deactivated in the same append.
async fn add_members<S: Sink>(run: &mut Run<'_, S>, unlisted: &[(UserId, &SlackUser)], version: &mut i64) -> Result<(), ImportError> {
    let mut events = Vec::new();
    for &(user_id, user) in unlisted {
        let (role, at) = (role(user), run.began_at);
        events.push(original(WorkspaceEvent::MemberJoined { user_id, role, invitation_id: None, invited_by: None }, user_id, at));
        if user.deleted {
            let at = super::model::second(user.updated).unwrap_or(at).max(at);
            events.push(original(WorkspaceEvent::MemberDeactivated { user_id }, run.fallback_user, at));
            run.report.turned("deleted user into a deactivated member", || label(user));
        }
    }
    let (stream, expected) = (StreamId::workspace(run.settings.workspace_id), *version);
    *version += i64::try_from(events.len()).unwrap_or(i64::MAX);
    let write = StreamWrite { stream, workspace_id: Some(run.settings.workspace_id), expected, caused_by: None, events };
    run.outbox.push(Item { write, claims: Vec::new(), look_up: LookUp::Nothing }).await
}

/// Checks that the workspace has room for all. A deleted user needs a place for a moment.
fn fits(workspace: &Workspace, users: &[SlackUser], people: &People) -> Result<(), ImportError> {
    let active = workspace.members.values().filter(|member| member.active).count();
    let unlisted = people.not_yet_members(workspace, users);
    let staying = unlisted.values().filter(|user| !user.deleted).count();
    let needed = active + staying.max(usize::from(!unlisted.is_empty()));
    let max = usize::try_from(workspace.max_members).unwrap_or(usize::MAX);
    if needed > max { Err(ImportError::TooManyMembers { needed, max }) } else { Ok(()) }
}

fn role(user: &SlackUser) -> Role {
    if user.is_primary_owner || user.is_owner || user.is_admin {
        Role::Admin
    } else if user.is_restricted || user.is_ultra_restricted {
        Role::Guest
    } else {
        Role::Member
    }
}

/// Whether the user belongs in #general, like every member. Guests see only the channels to which they were added.
fn belongs_in_general(user: &SlackUser) -> bool {
    !user.deleted && !user.is_bot && role(user) != Role::Guest
}

pub(super) fn id_of(user: &SlackUser) -> &str {
    some(user.id.as_ref()).unwrap_or_default()
}

fn label(user: &SlackUser) -> String {
    format!("{} {}", id_of(user), user.name.as_deref().unwrap_or_default())
}
