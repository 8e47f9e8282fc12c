//! Who is who: the users of the export, programs that posted, and people of whom the export knows nothing but an identifier.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::ids::UserId;
use domain::permission::Role;
use domain::text::{Email, Username};
use domain::{StreamId, Workspace, WorkspaceEvent};

use super::ImportError;
use super::model::{SlackUser, some};
use super::names::{self, Given};
use super::outbox::{Item, original, user_item};
use super::profile::{self, Newcomer};
use super::run::Run;
use super::sink::Sink;
use commands::event_store::{Claim, ClaimKind, StoreError, StreamWrite};

/// How many users are looked up and registered at a time. Each has at most two events in the workspace, so that they fit into a batch.
const USERS_AT_A_TIME: usize = 500;

/// Who is meant by an identifier of the export.
#[derive(Debug, Default)]
pub(super) struct People {
    known: HashMap<String, UserId>,
    /// The users' identifiers here that follow from the export's.
    derived: HashSet<UserId>,
    /// Who belongs in #general.
    residents: Vec<UserId>,
    usernames: Given,
    emails: HashSet<String>,
}

/// How a user of the export comes to be one of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Registered by the import.
    New,
    /// Registered by an earlier run of the import.
    There,
    /// An account of this server has their address.
    Linked,
}

/// Somebody who is mentioned, and must be a user for that.
#[derive(Clone, Debug)]
pub(super) struct Stranger {
    pub slack_id: String,
    pub name: Option<String>,
    pub is_bot: bool,
    pub avatar: Option<String>,
}

impl People {
    pub(super) fn find(&self, slack_id: &str) -> Option<UserId> {
        self.known.get(slack_id).copied()
    }

    /// The users of the list who belong in #general.
    pub(super) fn residents(&self) -> impl Iterator<Item = UserId> {
        self.residents.iter().copied()
    }

    /// Registers the export's users, and lets them into the workspace.
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
        let strangers = people.strangers_to(workspace, users).into_iter().collect::<Vec<_>>();
        for strangers in strangers.chunks(USERS_AT_A_TIME) {
            let_in(run, strangers, version).await?;
        }
        Ok(people)
    }

    /// The users who have an identifier of their own; those first who are shut out again, so that there is room for them.
    fn listed<S>(&mut self, run: &mut Run<'_, S>, users: Vec<SlackUser>) -> Vec<SlackUser> {
        let mut seen = HashSet::new();
        let mut listed = Vec::with_capacity(users.len());
        for user in users {
            match some(user.id.as_ref()) {
                Some(id) if seen.insert(id.to_owned()) => {
                    self.derived.insert(run.ids.user(id));
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
        listed
    }

    /// Finds out who is a user of this server already. Appends nothing.
    async fn recognise<S: Sink>(&mut self, run: &mut Run<'_, S>, users: &[SlackUser]) -> Result<Vec<Standing>, StoreError> {
        let mut standings = Vec::with_capacity(users.len());
        for users in users.chunks(USERS_AT_A_TIME) {
            let streams = users.iter().map(|user| StreamId::user(run.ids.user(id_of(user)))).collect::<Vec<_>>();
            let versions = run.sink.versions(&streams).await?;
            let emails = users.iter().filter_map(profile::email).map(|email| email_claim(&email)).collect::<Vec<_>>();
            let holders = run.sink.holders(&emails).await?;
            for (user, stream) in users.iter().zip(streams) {
                let holder = profile::email(user).and_then(|email| holders.get(&email_claim(&email)).copied()).map(UserId);
                let (id, standing) = match holder.filter(|holder| !self.derived.contains(holder)) {
                    _ if versions.contains_key(&stream) => (UserId(stream.id), Standing::There),
                    Some(holder) => (holder, Standing::Linked),
                    None => (UserId(stream.id), Standing::New),
                };
                self.know(user, id);
                standings.push(standing);
            }
        }
        Ok(standings)
    }

    /// A program's user is known by the program's identifier too.
    fn know(&mut self, user: &SlackUser, id: UserId) {
        self.known.insert(id_of(user).to_owned(), id);
        if belongs_in_general(user) {
            self.residents.push(id);
        }
        if let Some(bot_id) = user.profile.as_ref().and_then(|profile| some(profile.bot_id.as_ref())) {
            self.known.insert(bot_id.to_owned(), id);
        }
    }

    async fn register_listed<S: Sink>(
        &mut self,
        run: &mut Run<'_, S>,
        users: &[SlackUser],
        standings: &[Standing],
    ) -> Result<(), ImportError> {
        let mut newcomers = Vec::new();
        for (user, standing) in users.iter().zip(standings) {
            match standing {
                Standing::New => newcomers.push(profile::newcomer(user, run)?),
                Standing::There => run.report.users.already_there += 1,
                Standing::Linked => {
                    run.report.users.already_there += 1;
                    run.report.turned("user linked to the account of this server that has their address", || label(user));
                }
            }
        }
        run.report.users.imported += newcomers.len() as u64;
        self.register(run, newcomers).await
    }

    async fn register<S: Sink>(&mut self, run: &mut Run<'_, S>, newcomers: Vec<Newcomer>) -> Result<(), ImportError> {
        let wanted = newcomers.iter().map(|newcomer| (newcomer.name.clone(), newcomer.slack_id.as_str())).collect::<Vec<_>>();
        let usernames = names::free::<Username, S>(run.sink, None, &mut self.usernames, &wanted, &run.ids).await?;
        for (newcomer, username) in newcomers.into_iter().zip(usernames) {
            if username != newcomer.name.trim() {
                run.report.turned("username into one that is allowed and free", || format!("{} into {username}", newcomer.name));
            }
            let user_id = run.ids.user(&newcomer.slack_id);
            let email = self.own_email(run, &newcomer)?;
            let claims = vec![
                email_claim(&email).taken_by(user_id),
                Claim::on_server(ClaimKind::Username, username.to_lowercase()).taken_by(user_id),
            ];
            let at = newcomer.at;
            let events = newcomer.events(email, &Username::parse(&username)?);
            let events = events.into_iter().map(|event| original(event, user_id, at)).collect();
            run.outbox.push(user_item(user_id, events, claims)).await?;
        }
        Ok(())
    }

    fn own_email<S>(&mut self, run: &mut Run<'_, S>, newcomer: &Newcomer) -> Result<Email, ImportError> {
        if let Some(email) = &newcomer.email {
            if self.emails.insert(email.folded()) {
                return Ok(email.clone());
            }
            run.report
                .turned("address that another user of the export has into a made-up one", || format!("{} {email}", newcomer.slack_id));
        }
        Ok(names::made_up_email(&newcomer.slack_id, &run.ids)?)
    }

    /// Those of the users who are and were no members, each once; several may be linked to one account.
    fn strangers_to<'u>(&self, workspace: &Workspace, users: &'u [SlackUser]) -> BTreeMap<UserId, &'u SlackUser> {
        let with_id = users.iter().filter_map(|user| Some((self.find(id_of(user))?, user)));
        with_id.filter(|(id, _)| !workspace.members.contains_key(id)).collect()
    }

    /// Makes users of those whom the list of users lacks.
    pub(super) async fn make<S: Sink>(&mut self, run: &mut Run<'_, S>, strangers: Vec<Stranger>) -> Result<(), ImportError> {
        let mut strangers = strangers;
        strangers.retain(|stranger| self.find(&stranger.slack_id).is_none());
        strangers.sort_by(|a, b| (&a.slack_id, a.name.is_none()).cmp(&(&b.slack_id, b.name.is_none())));
        strangers.dedup_by(|a, b| a.slack_id == b.slack_id);
        if strangers.is_empty() {
            return Ok(());
        }
        let streams = strangers.iter().map(|s| StreamId::user(run.ids.user(&s.slack_id))).collect::<Vec<_>>();
        let versions = run.sink.versions(&streams).await?;
        let mut newcomers = Vec::new();
        for (stranger, stream) in strangers.into_iter().zip(streams) {
            self.known.insert(stranger.slack_id.clone(), UserId(stream.id));
            let kind = if stranger.is_bot {
                "program that is in no list into a user of its own"
            } else {
                "unknown person into a user without a membership"
            };
            run.report.turned(kind, || format!("{} {}", stranger.slack_id, stranger.name.as_deref().unwrap_or_default()));
            if !versions.contains_key(&stream) {
                newcomers.push(profile::of_stranger(stranger, run.began_at)?);
            }
        }
        self.register(run, newcomers).await
    }
}

/// Makes members of them; who is deleted there is shut out here, in the same append.
async fn let_in<S: Sink>(run: &mut Run<'_, S>, strangers: &[(UserId, &SlackUser)], version: &mut i64) -> Result<(), ImportError> {
    let mut events = Vec::new();
    for &(user_id, user) in strangers {
        let (role, at) = (role(user), run.began_at);
        events.push(original(WorkspaceEvent::MemberJoined { user_id, role, invitation_id: None, invited_by: None }, user_id, at));
        if user.deleted {
            let at = super::model::second(user.updated).unwrap_or(at).max(at);
            events.push(original(WorkspaceEvent::MemberDeactivated { user_id }, run.steward, at));
            run.report.turned("deleted user into a deactivated member", || label(user));
        }
    }
    let (stream, expected) = (StreamId::workspace(run.settings.workspace_id), *version);
    *version += i64::try_from(events.len()).unwrap_or(i64::MAX);
    let write = StreamWrite { stream, workspace_id: Some(run.settings.workspace_id), expected, caused_by: None, events };
    run.outbox.push(Item { write, claims: Vec::new(), look_up: false }).await
}

/// Whether all of them have room. Who is deleted needs it for a moment.
fn fits(workspace: &Workspace, users: &[SlackUser], people: &People) -> Result<(), ImportError> {
    let active = workspace.members.values().filter(|member| member.active).count();
    let strangers = people.strangers_to(workspace, users);
    let staying = strangers.values().filter(|user| !user.deleted).count();
    let needed = active + staying.max(usize::from(!strangers.is_empty()));
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

/// Whether they are in #general as everybody is: guests see only what they were added to.
fn belongs_in_general(user: &SlackUser) -> bool {
    !user.deleted && !user.is_bot && role(user) != Role::Guest
}

fn email_claim(email: &Email) -> Claim {
    Claim::on_server(ClaimKind::Email, email.folded())
}

pub(super) fn id_of(user: &SlackUser) -> &str {
    some(user.id.as_ref()).unwrap_or_default()
}

fn label(user: &SlackUser) -> String {
    format!("{} {}", id_of(user), user.name.as_deref().unwrap_or_default())
}
