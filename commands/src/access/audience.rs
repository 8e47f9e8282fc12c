//! The people who may see an event, and the rule that says whether a user is among them.

use domain::Workspace;
use domain::channel::Kind;
use domain::ids::{ChannelId, UserId};
use domain::permission::Permission;

use crate::authorize;

/// The people who may see an event of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// The people.
    pub people: People,
    /// The user who is removed by the event. It is the last event that they get.
    pub removed: Option<UserId>,
}

/// People of a workspace. Every one of them is an active member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum People {
    /// This user alone.
    Only(UserId),
    /// This user alone, if they may read the channel.
    OnlyIn(UserId, ChannelId),
    /// All.
    Members,
    /// Those with the permission.
    With(Permission),
    /// Those who may list the members, and see all of these people.
    ListersOf(Vec<UserId>),
    /// Those who see this person, who is an active member.
    SeersOf(UserId),
    /// Those who see this person, who is or was a member.
    SeersOfFormer(UserId),
    /// Those who may read the channel.
    ReadersOf(ChannelId),
}

impl From<People> for Audience {
    fn from(people: People) -> Self {
        Self { people, removed: None }
    }
}

impl People {
    /// The channel that decides.
    pub(super) fn channel(&self) -> Option<ChannelId> {
        match self {
            Self::ReadersOf(channel_id) | Self::OnlyIn(_, channel_id) => Some(*channel_id),
            Self::Only(_) | Self::Members | Self::With(_) | Self::ListersOf(_) | Self::SeersOf(_) | Self::SeersOfFormer(_) => None,
        }
    }

    /// The people whom the event is about. Not everybody sees them.
    pub(super) fn persons(&self) -> &[UserId] {
        match self {
            Self::ListersOf(persons) => persons,
            Self::SeersOf(person) | Self::SeersOfFormer(person) => std::slice::from_ref(person),
            Self::Only(_) | Self::OnlyIn(..) | Self::Members | Self::With(_) | Self::ReadersOf(_) => &[],
        }
    }
}

/// Whether a user belongs to the people, at one moment. This is the only rule: for pages, for resumed connections, and for
/// live ones. `channel` returns the kind of a channel of the workspace, and whether the user is in it. `shares_a_channel`
/// says whether the user, a guest, is in a channel with somebody.
pub(super) fn belongs(
    me: UserId,
    workspace: &Workspace,
    channel: impl Fn(ChannelId) -> Option<(Kind, bool)>,
    shares_a_channel: impl Fn(UserId) -> bool,
    people: &People,
) -> bool {
    if workspace.active_member(me).is_none() {
        return false;
    }
    let reads = |channel_id: ChannelId| {
        channel(channel_id).is_some_and(|(kind, is_in)| authorize::sees_one(workspace, me, kind == Kind::Public, is_in))
    };
    let sees = |person: UserId| person == me || !workspace.has_guest(me) || shares_a_channel(person);
    match people {
        People::Only(user_id) => *user_id == me,
        People::Members => true,
        People::With(permission) => workspace.allows(me, *permission),
        People::ListersOf(persons) => {
            persons.iter().all(|person| *person == me || (workspace.allows(me, Permission::MemberList) && sees(*person)))
        }
        People::SeersOf(person) => workspace.active_member(*person).is_some() && sees(*person),
        People::SeersOfFormer(person) => workspace.members.contains_key(person) && sees(*person),
        People::OnlyIn(user_id, channel_id) => *user_id == me && reads(*channel_id),
        People::ReadersOf(channel_id) => reads(*channel_id),
    }
}
