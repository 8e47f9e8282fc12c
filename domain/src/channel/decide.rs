//! The rules of channels: pure functions, one for each command, without async, clock or framework.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::{
    Channel, ChannelEvent, ChannelRefusal, ChannelSettings, Creation, Kind, MemberRole, Membership, NewChannel, NotificationLevel,
};
use crate::context::Context;
use crate::ids::UserId;
use crate::text::{ChannelDisplayName, ChannelName, Description, Purpose, Topic};

type Decision = Result<Vec<ChannelEvent>, ChannelRefusal>;

/// The number of participants in a direct conversation: the creator alone, or two users.
pub(super) const DIRECT_PEOPLE: RangeInclusive<usize> = 1..=2;
/// The number of participants in a group conversation.
pub const GROUP_PEOPLE: RangeInclusive<usize> = 3..=9;

/// Creates the channel. The actor and the named users are its first members.
pub(super) fn create(channel: &Channel, context: &Context, new: NewChannel) -> Decision {
    if channel.exists() {
        return Err(ChannelRefusal::CreatedAlready);
    }
    let mut others = new.members.clone();
    others.remove(&context.actor);
    fits_its_kind(&new, others.len() + 1)?;
    let joined = first_members(context.actor, role_of_creator(new.kind), others);
    let created = ChannelEvent::Created(Box::new(creation(new, context.actor)));
    Ok(std::iter::once(created).chain(joined).collect())
}

/// Renames the channel.
pub(super) fn rename(channel: &Channel, name: ChannelName, display_name: Option<ChannelDisplayName>) -> Decision {
    let creation = changeable(channel)?;
    if creation.name.as_ref() == Some(&name) && creation.display_name == display_name {
        return Ok(vec![]);
    }
    Ok(vec![ChannelEvent::Renamed { name, display_name }])
}

/// Sets or clears the topic.
pub(super) fn change_topic(channel: &Channel, topic: Option<Topic>) -> Decision {
    if changeable(channel)?.topic == topic {
        return Ok(vec![]);
    }
    Ok(vec![ChannelEvent::TopicChanged { topic }])
}

/// Sets or clears the purpose.
pub(super) fn change_purpose(channel: &Channel, purpose: Option<Purpose>) -> Decision {
    if changeable(channel)?.purpose == purpose {
        return Ok(vec![]);
    }
    Ok(vec![ChannelEvent::PurposeChanged { purpose }])
}

/// Sets or clears the description.
pub(super) fn change_description(channel: &Channel, description: Option<Description>) -> Decision {
    if changeable(channel)?.description == description {
        return Ok(vec![]);
    }
    Ok(vec![ChannelEvent::DescriptionChanged { description }])
}

/// Changes the settings.
pub(super) fn change_settings(channel: &Channel, settings: ChannelSettings) -> Decision {
    open(channel)?;
    settings.retention_policy.map_or(Ok(()), |policy| policy.check().map_err(ChannelRefusal::SettingsInvalid))?;
    if channel.settings == settings {
        return Ok(vec![]);
    }
    Ok(vec![ChannelEvent::SettingsChanged(settings)])
}

/// Makes the actor a member of a public channel. If they are a member, nothing changes.
pub(super) fn join(channel: &Channel, context: &Context) -> Decision {
    not_direct(channel)?;
    if channel.has_member(context.actor) {
        return Ok(vec![]);
    }
    let creation = open(channel)?;
    match creation.kind {
        Kind::Public => Ok(vec![joined(context.actor, MemberRole::Member, None)]),
        Kind::Private | Kind::Direct | Kind::GroupDirect => Err(ChannelRefusal::Private),
    }
}

/// Makes the actor a member and the admin of a channel that nobody is in. It may be archived. If the actor is its admin
/// already, nothing changes. Whether anybody is in it depends on the workspace (`commands/src/authorize.rs`).
pub(super) fn adopt(channel: &Channel, context: &Context) -> Decision {
    not_direct(channel)?;
    if channel.has_admin(context.actor) { Ok(vec![]) } else { Ok(vec![joined(context.actor, MemberRole::Admin, None)]) }
}

/// Adds another user to a channel that the actor is a member of. A member is not added again: the request is a `POST`,
/// and its sender learns that somebody else was faster.
pub(super) fn add_member(channel: &Channel, context: &Context, user_id: UserId) -> Decision {
    changeable(channel)?;
    membership(channel, context.actor)?;
    not_yet_a_member(channel, user_id)?;
    Ok(vec![joined(user_id, MemberRole::Member, Some(context.actor))])
}

/// Ends the actor's membership. An archived channel can be left too, because nobody has to stay in a channel. If the
/// actor is no member, nothing changes.
pub(super) fn leave(channel: &Channel, context: &Context) -> Decision {
    not_general(not_direct(channel)?)?;
    if !channel.has_member(context.actor) {
        return Ok(vec![]);
    }
    Ok(vec![ChannelEvent::MemberLeft { user_id: context.actor }])
}

/// Ends the membership of another user. If they are no member, nothing changes.
pub(super) fn remove_member(channel: &Channel, context: &Context, user_id: UserId) -> Decision {
    not_general(changeable(channel)?)?;
    if user_id == context.actor {
        return Err(ChannelRefusal::LeaveInstead);
    }
    if !channel.has_member(user_id) {
        return Ok(vec![]);
    }
    Ok(vec![ChannelEvent::MemberRemoved { user_id, removed_by: context.actor }])
}

/// Changes a member's role in the channel.
pub(super) fn change_member_role(channel: &Channel, user_id: UserId, role: MemberRole) -> Decision {
    changeable(channel)?;
    if membership(channel, user_id)?.role == role {
        return Ok(vec![]);
    }
    Ok(vec![ChannelEvent::MemberRoleChanged { user_id, role }])
}

/// Changes which messages the actor is notified of. This is allowed in an archived channel too.
pub(super) fn change_notification_level(channel: &Channel, context: &Context, level: NotificationLevel) -> Decision {
    existing(channel)?;
    if membership(channel, context.actor)?.level == level {
        return Ok(vec![]);
    }
    Ok(vec![ChannelEvent::NotificationLevelChanged { user_id: context.actor, level }])
}

/// Archives the channel. It stays readable, and posts to it are refused. Archiving an archived channel changes nothing.
pub(super) fn archive(channel: &Channel, context: &Context) -> Decision {
    not_general(not_direct(channel)?)?;
    if channel.archived { Ok(vec![]) } else { Ok(vec![ChannelEvent::Archived { by: context.actor }]) }
}

/// Reopens an archived channel. Opening an open channel changes nothing.
pub(super) fn unarchive(channel: &Channel, context: &Context) -> Decision {
    existing(channel)?;
    if channel.archived { Ok(vec![ChannelEvent::Unarchived { by: context.actor }]) } else { Ok(vec![]) }
}

fn fits_its_kind(new: &NewChannel, people: usize) -> Result<(), ChannelRefusal> {
    match (new.kind, &new.name) {
        (Kind::Public | Kind::Private, None) => Err(ChannelRefusal::NameRequired),
        (Kind::Direct | Kind::GroupDirect, Some(_)) => Err(ChannelRefusal::NameUnexpected),
        (Kind::Direct, None) if !DIRECT_PEOPLE.contains(&people) => Err(ChannelRefusal::PeopleOutOfRange),
        (Kind::GroupDirect, None) if !GROUP_PEOPLE.contains(&people) => Err(ChannelRefusal::PeopleOutOfRange),
        (Kind::Public | Kind::Private, Some(_)) | (Kind::Direct | Kind::GroupDirect, None) => Ok(()),
    }
}

/// The participants of a conversation have equal rights. A channel has an admin.
fn role_of_creator(kind: Kind) -> MemberRole {
    match kind {
        Kind::Public | Kind::Private => MemberRole::Admin,
        Kind::Direct | Kind::GroupDirect => MemberRole::Member,
    }
}

fn first_members(creator: UserId, role: MemberRole, others: BTreeSet<UserId>) -> impl Iterator<Item = ChannelEvent> {
    let others = others.into_iter().map(move |user_id| joined(user_id, MemberRole::Member, Some(creator)));
    std::iter::once(joined(creator, role, None)).chain(others)
}

fn creation(new: NewChannel, created_by: UserId) -> Creation {
    let NewChannel { workspace_id, kind, name, display_name, description, topic, purpose, is_general, members: _ } = new;
    Creation { workspace_id, kind, name, display_name, description, topic, purpose, is_general, created_by }
}

fn joined(user_id: UserId, role: MemberRole, invited_by: Option<UserId>) -> ChannelEvent {
    ChannelEvent::MemberJoined { user_id, role, invited_by }
}

fn existing(channel: &Channel) -> Result<&Creation, ChannelRefusal> {
    channel.creation.as_ref().ok_or(ChannelRefusal::NotFound)
}

fn not_direct(channel: &Channel) -> Result<&Creation, ChannelRefusal> {
    let creation = existing(channel)?;
    match creation.kind {
        Kind::Public | Kind::Private => Ok(creation),
        Kind::Direct | Kind::GroupDirect => Err(ChannelRefusal::DirectStays),
    }
}

fn open(channel: &Channel) -> Result<&Creation, ChannelRefusal> {
    let creation = existing(channel)?;
    if channel.archived { Err(ChannelRefusal::Archived) } else { Ok(creation) }
}

fn changeable(channel: &Channel) -> Result<&Creation, ChannelRefusal> {
    not_direct(channel)?;
    open(channel)
}

fn not_general(creation: &Creation) -> Result<(), ChannelRefusal> {
    if creation.is_general { Err(ChannelRefusal::GeneralStays) } else { Ok(()) }
}

fn membership(channel: &Channel, user_id: UserId) -> Result<&Membership, ChannelRefusal> {
    channel.members.get(&user_id).ok_or(ChannelRefusal::NotAMember)
}

fn not_yet_a_member(channel: &Channel, user_id: UserId) -> Result<(), ChannelRefusal> {
    if channel.has_member(user_id) { Err(ChannelRefusal::MemberAlready) } else { Ok(()) }
}
