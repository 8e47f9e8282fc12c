//! Roles, permissions and overrides, in one table. The documentation is written from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A member's role in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The member sees only the channels that they are a member of.
    Guest,
    /// The member has the usual permissions.
    Member,
    /// The member administers the workspace.
    Admin,
    /// The member administers the workspace, and may hand it over.
    Owner,
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $wire:literal: $guest:literal $member:literal $admin:literal $owner:literal,)*) => {
        /// The permissions of workspace members.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Permission {
            $($(#[$doc])* #[serde(rename = $wire)] $name,)*
        }

        impl Permission {
            /// Every permission, in the table's order.
            pub const ALL: &'static [Permission] = &[$(Permission::$name,)*];

            /// Its name on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Permission::$name => $wire,)*
                }
            }

            /// Whether the role has it, unless an override says otherwise.
            #[must_use]
            pub fn granted_to(self, role: Role) -> bool {
                let (guest, member, admin, owner) = match self {
                    $(Permission::$name => ($guest, $member, $admin, $owner),)*
                };
                match role {
                    Role::Guest => guest,
                    Role::Member => member,
                    Role::Admin => admin,
                    Role::Owner => owner,
                }
            }
        }
    };
}

permissions! {
    //                                                        guest member admin owner
    /// Change the workspace's name, description and picture.
    WorkspaceUpdate = "workspace.update":                     false false true  true,
    /// Change the workspace's settings.
    WorkspaceSettings = "workspace.settings":                 false false true  true,
    /// Make another member an owner.
    WorkspaceHandOver = "workspace.hand_over":                false false false true,
    /// Invite people, and revoke invitations.
    MemberInvite = "member.invite":                           false false true  true,
    /// Change members' roles, titles and permissions; deactivate and reactivate them.
    MemberManage = "member.manage":                           false false true  true,
    /// List the members of the workspace.
    MemberList = "member.list":                               true  true  true  true,
    /// Create public channels.
    ChannelCreatePublic = "channel.create_public":            false true  true  true,
    /// Create private channels.
    ChannelCreatePrivate = "channel.create_private":          false true  true  true,
    /// Start direct and group conversations.
    ChannelCreateDirect = "channel.create_direct":            true  true  true  true,
    /// See and join public channels.
    ChannelBrowse = "channel.browse":                         false true  true  true,
    /// Add members to channels that the member is in.
    ChannelAddMembers = "channel.add_members":                false true  true  true,
    /// Change the topic, the purpose and the description of channels that the member is in.
    ChannelDescribe = "channel.describe":                     false true  true  true,
    /// Rename, archive and configure every channel, change roles in it and remove members, without being its admin.
    ChannelManage = "channel.manage":                         false false true  true,
    /// Post messages, and edit and delete one's own messages.
    MessagePost = "message.post":                             true  true  true  true,
    /// React to messages.
    MessageReact = "message.react":                           true  true  true  true,
    /// Add emojis to the workspace, and remove them.
    EmojiManage = "emoji.manage":                             false false true  true,
    /// Pin messages.
    MessagePin = "message.pin":                               false true  true  true,
    /// Delete messages of other users.
    MessageDeleteAny = "message.delete_any":                  false false true  true,
    /// Read the audit and the log of the workspace, export them, and see the state of its projections.
    AuditRead = "audit.read":                                 false false true  true,
    /// Read the texts of conversations that the member is not in, in the audit. No role has it: an owner grants it, and
    /// an event records that.
    ComplianceRead = "compliance.read":                       false false false false,
    /// See the numbers of messages and users, in channels of every kind.
    AnalyticsRead = "analytics.read":                         false false true  true,
    /// Set how long messages are kept, and preview which messages the policy would remove.
    RetentionManage = "retention.manage":                     false false true  true,
    /// Run the retention policy now.
    RetentionRun = "retention.run":                           false false false true,
    /// Read archived messages, in channels that the member may read.
    ArchiveRead = "archive.read":                             false false true  true,
    /// Purge single messages for legal reasons.
    MessagePurge = "message.purge":                           false false false true,
    /// Place, release and list legal holds.
    HoldsManage = "holds.manage":                             false false false true,
}

/// The permissions that a member has beyond their role, or lacks in spite of it.
pub type Overrides = BTreeMap<Permission, bool>;

/// Whether a member with this role and these overrides has the permission.
#[must_use]
pub fn allows(role: Role, overrides: &Overrides, permission: Permission) -> bool {
    overrides.get(&permission).copied().unwrap_or_else(|| permission.granted_to(role))
}

impl Role {
    /// Every role, from the lowest to the highest.
    pub const ALL: [Role; 4] = [Role::Guest, Role::Member, Role::Admin, Role::Owner];

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Guest => "guest",
            Role::Member => "member",
            Role::Admin => "admin",
            Role::Owner => "owner",
        }
    }
}

/// The table of permissions, as Markdown.
#[must_use]
pub fn as_markdown() -> String {
    let mut table = String::from("| permission | guest | member | admin | owner |\n|---|---|---|---|---|\n");
    for permission in Permission::ALL {
        let cells = Role::ALL.map(|role| if permission.granted_to(role) { "yes" } else { "" });
        table.push_str(&format!("| `{}` | {} |\n", permission.as_str(), cells.join(" | ")));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_role_may_do_all_that_a_lower_one_may() {
        for permission in Permission::ALL {
            for pair in Role::ALL.windows(2) {
                assert!(!permission.granted_to(pair[0]) || permission.granted_to(pair[1]), "{permission:?} {pair:?}");
            }
        }
    }

    #[test]
    fn an_override_beats_the_role_both_ways() {
        let overrides = Overrides::from([(Permission::MessagePost, false), (Permission::AuditRead, true)]);
        assert!(!allows(Role::Owner, &overrides, Permission::MessagePost));
        assert!(allows(Role::Guest, &overrides, Permission::AuditRead));
        assert!(allows(Role::Guest, &overrides, Permission::MessageReact));
    }

    #[test]
    fn the_wire_name_is_the_serialised_name() {
        for permission in Permission::ALL {
            assert_eq!(serde_json::to_value(permission).expect("JSON"), permission.as_str());
        }
    }
}
