//! The refusals of channel commands.

use crate::refusal::{OutOfRange, refusals};

refusals! {
    /// The refusals of channel commands.
    ChannelRefusal {
        CreatedAlready = "channel.created_already" Conflict "this channel exists already",
        TooManyCreated(max: u32) = "channel.too_many_created" Conflict
            "you have created {0} channels and conversations in this workspace, which is the most for one member: use one of them",
        NotFound = "channel.not_found" NotFound "there is no such channel",
        NameRequired = "channel.name_required" Invalid("name") "a public or private channel needs a name",
        NameUnexpected = "channel.name_unexpected" Invalid("name") "a direct or group conversation has no name: leave it out",
        PeopleOutOfRange = "channel.people_out_of_range" Invalid("members")
            "a direct conversation is among one or two people, a group conversation among three to nine, yourself included",
        DirectStays = "channel.direct_stays" Conflict
            "a direct or group conversation cannot be changed: create a channel for a name, a topic or changing members",
        Archived = "channel.archived" Conflict "this channel is archived: unarchive it first",
        GeneralStays = "channel.general_stays" Conflict
            "everyone is in #general: it cannot be archived or left, and nobody can be removed from it",
        LastAdmin = "channel.last_admin" Conflict
            "a channel with people in it has an admin: make another member an admin of this channel first",
        NotWithoutMembers = "channel.not_without_members" Conflict
            "there are people in this channel: only a channel without anybody can be adopted, so ask one of them to add you",
        AdoptedByOwners = "channel.owners_only" Forbidden "only an owner of the workspace may list and adopt channels without anybody",
        MemberAlready = "channel.member_already" Conflict "this user is a member of this channel already",
        Private = "channel.private" Forbidden "this channel is private: ask a member to add you",
        NotAMember = "channel.not_a_member" Forbidden "not a member of this channel: join it, or be added, first",
        LeaveInstead = "channel.leave_instead" Conflict "you cannot remove yourself: leave the channel instead",
        SettingsInvalid(wrong: OutOfRange) = "channel.settings_invalid" Invalid(wrong.field) "{0}",
    }
}
