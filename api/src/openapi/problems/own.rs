//! The codes that an operation does not share by its kind. An operation that is not here has none.

/// Codes that several operations of one kind have.
mod shared {
    pub(super) const PASSWORD: &[&str] = &["auth.busy", "password.wrong"];
    pub(super) const NEW_PASSWORD: &[&str] = &["auth.busy", "password.blank", "password.characters", "password.known"];
    pub(super) const ACCOUNT: &[&str] = &["user.erased", "user.not_found", "user.suspended"];
    pub(super) const OPERATOR: &[&str] = &["server.operators_only"];
    pub(super) const EXPORT: &[&str] = &["export.too_many", "export.under_way", "user.not_found"];
    pub(super) const MEMBER: &[&str] = &["workspace.member_not_found", "workspace.owners_only", "workspace.rank_above_own"];
    pub(super) const GIVES: &[&str] = &["workspace.permission_beyond_own", "workspace.role_beyond_own"];
    pub(super) const CHANGES_CHANNEL: &[&str] = &["channel.archived", "channel.direct_stays"];
    pub(super) const WRITES: &[&str] =
        &["channel.archived", "channel.conversation_read_only", "channel.not_a_member", "workspace.not_a_member"];
    pub(super) const MESSAGE_STANDS: &[&str] = &["message.deleted"];
    pub(super) const INVITATION: &[&str] = &[
        "workspace.invitation_ended",
        "workspace.invitation_expired",
        "workspace.invitation_not_found",
        "workspace.invitation_of_another",
    ];
    pub(super) const PROJECTION: &[&str] = &["projection.not_found", "server.operators_only"];
    pub(super) const PARKED: &[&str] = &["parked.not_found", "parked.other_event", "parked.still_not_applied"];
    pub(super) const AGGREGATE: &[&str] = &["audit.aggregate_not_found"];
    pub(super) const TEXT: &[&str] = &["input.invalid"];
    pub(super) const SEARCH: &[&str] = &["input.invalid", "search.query_invalid"];
    pub(super) const SIGNALS: &[&str] = &["presence.unavailable"];
    pub(super) const PROOF: &[&str] = &["proof.no_head", "proof.no_name", "server.operators_only"];
}

/// The codes of an operation, in order, each once.
pub(super) fn codes(operation: &str) -> Vec<&'static str> {
    let parts = of_people(operation).or_else(|| of_workspaces(operation)).or_else(|| of_channels(operation));
    let parts = parts.or_else(|| of_messages(operation)).or_else(|| of_operators(operation));
    let mut codes = parts.unwrap_or_default().concat();
    codes.sort_unstable();
    codes.dedup();
    codes
}

type Parts = Vec<&'static [&'static str]>;

/// Users, their sessions, and their data.
fn of_people(operation: &str) -> Option<Parts> {
    use shared::{ACCOUNT, EXPORT, INVITATION, NEW_PASSWORD, OPERATOR, PASSWORD};
    Some(match operation {
        "register_user" => vec![
            INVITATION,
            NEW_PASSWORD,
            &["user.email_taken", "user.first_taken", "user.registered_already", "user.registration_closed", "user.username_taken"],
        ],
        "change_profile" => vec![ACCOUNT],
        "change_preferences" => vec![ACCOUNT, &["user.preferences_too_large"]],
        "change_custom_status" => vec![ACCOUNT, &["user.custom_status_over"]],
        "change_password" => vec![PASSWORD, NEW_PASSWORD],
        "erase_me" => vec![
            PASSWORD,
            &[
                "projection.behind",
                "user.erased",
                "user.erasure_of_the_last_owner",
                "user.erasure_requested_already",
                "user.last_operator",
                "user.not_found",
                "workspace.held",
            ],
        ],
        "keep_me" => vec![&["user.erased", "user.erasure_not_requested", "user.not_found"]],
        "erase_user" => vec![
            OPERATOR,
            PASSWORD,
            &[
                "projection.behind",
                "user.erased",
                "user.erasure_not_yours",
                "user.erasure_of_the_last_owner",
                "user.erasure_requested_already",
                "user.last_operator",
                "user.not_found",
                "workspace.held",
            ],
        ],
        "keep_user" => vec![OPERATOR, &["user.erased", "user.erasure_not_requested", "user.erasure_not_yours", "user.not_found"]],
        "export_me" => vec![PASSWORD, EXPORT],
        "export_user" => vec![OPERATOR, PASSWORD, EXPORT],
        "get_export" => vec![OPERATOR, &["export.not_found"]],
        "download_export" => vec![OPERATOR, PASSWORD, &["export.failed", "export.not_found", "export.not_ready"]],
        "get_me" | "get_user" => vec![&["user.not_found"]],
        "suspend_user" => vec![OPERATOR, &["user.erased", "user.last_operator", "user.not_found"]],
        "reactivate_user" => vec![OPERATOR, &["user.erased", "user.not_found"]],
        "create_live_ticket" => vec![&["live.tickets_unavailable"]],
        "open_live" => vec![&["auth.ticket_invalid", "live.tickets_unavailable", "request.header_invalid"]],
        "start_session" => {
            vec![&["auth.busy", "request.origin_refused", "session.begun_already", "session.wrong_credentials", "user.not_active"]]
        }
        "end_session" => vec![&["session.not_found"]],
        _ => return None,
    })
}

/// Workspaces, their members, invitations and holds.
fn of_workspaces(operation: &str) -> Option<Parts> {
    use shared::{GIVES, INVITATION, MEMBER, OPERATOR, PASSWORD, SIGNALS, TEXT};
    Some(match operation {
        "create_workspace" => vec![&[
            "workspace.created_already",
            "workspace.domain_taken",
            "workspace.settings_invalid",
            "workspace.slot_taken",
            "workspace.too_many_created",
        ]],
        "get_current_workspace" => vec![&["workspace.not_found"]],
        "change_workspace_settings" => vec![&["workspace.settings_invalid"]],
        "change_workspace_plan" => vec![OPERATOR],
        "change_workspace_domain" => vec![OPERATOR, &["workspace.domain_taken", "workspace.owners_only"]],
        "remove_workspace_domain" => vec![OPERATOR, &["workspace.owners_only"]],
        "hand_over_workspace" => vec![
            PASSWORD,
            &[
                "workspace.hand_over_to_guest",
                "workspace.hand_over_to_self",
                "workspace.member_deactivated",
                "workspace.member_not_found",
                "workspace.owners_only",
            ],
        ],
        "place_hold" => vec![&["workspace.hold_target_not_found", "workspace.too_many_holds"]],
        "release_hold" => vec![&["workspace.hold_not_found"]],
        "add_emoji" => vec![TEXT, &["workspace.too_many_emojis"]],
        "remove_emoji" => vec![TEXT],
        "start_retention_run" => vec![&[
            "channel.not_found",
            "projection.behind",
            "retention.cut_off_too_late",
            "retention.kept_for_ever",
            "retention.under_way",
            "workspace.held",
        ]],
        "search_directory" => vec![TEXT],
        "get_member" | "get_presence" => vec![&["workspace.member_not_found"]],
        "announce_presence" | "end_presence" => vec![SIGNALS],
        "change_member_role" => vec![
            GIVES,
            MEMBER,
            PASSWORD,
            &["password.required", "workspace.last_owner", "workspace.member_deactivated", "workspace.permission_to_oneself"],
        ],
        "change_member_details" => vec![MEMBER],
        "change_member_permissions" => vec![GIVES, MEMBER, &["workspace.hand_over_not_granted", "workspace.permission_to_oneself"]],
        "leave_workspace" => vec![&["workspace.last_owner", "workspace.member_not_found"]],
        "deactivate_member" => vec![MEMBER, &["workspace.last_owner"]],
        "reactivate_member" => vec![GIVES, MEMBER, &["workspace.full"]],
        "propose_erasure" => vec![&["user.erased", "user.not_found", "workspace.member_not_found", "workspace.owners_only"]],
        "invite" => vec![
            GIVES,
            &[
                "workspace.invitation_expiry_invalid",
                "workspace.invited_already",
                "workspace.invited_deactivated",
                "workspace.invited_member",
                "workspace.owner_not_invited",
                "workspace.too_many_invitations",
                "workspace.too_many_invitations_by_you",
                "workspace.too_many_invitations_kept",
            ],
        ],
        "get_invitation" | "revoke_invitation" => vec![&["workspace.invitation_not_found"]],
        "accept_invitation" => {
            vec![INVITATION, &["workspace.full", "workspace.member_already", "workspace.not_found", "workspace.reactivation_needed"]]
        }
        _ => return None,
    })
}

/// Channels and their members.
fn of_channels(operation: &str) -> Option<Parts> {
    use shared::{CHANGES_CHANNEL, MEMBER};
    Some(match operation {
        "list_channels" => vec![&["channel.owners_only", "input.invalid"]],
        "create_channel" => vec![&[
            "access.guest_shares_no_channel",
            "channel.created_already",
            "channel.exists_already",
            "channel.name_required",
            "channel.name_taken",
            "channel.name_unexpected",
            "channel.people_out_of_range",
            "channel.slot_taken",
            "channel.too_many_created",
            "user.erased",
            "workspace.not_a_member",
        ]],
        "rename_channel" => vec![CHANGES_CHANNEL, &["channel.admins_only", "channel.name_taken"]],
        "change_topic" | "change_purpose" | "change_description" => vec![CHANGES_CHANNEL],
        "change_channel_settings" => vec![&["channel.admins_only", "channel.archived", "channel.settings_invalid"]],
        "adopt_channel" => vec![&["channel.direct_stays", "channel.not_without_members", "channel.owners_only"]],
        "archive_channel" => vec![&["channel.admins_only", "channel.direct_stays", "channel.general_stays"]],
        "unarchive_channel" => vec![&["channel.admins_only"]],
        "add_channel_member" => {
            vec![CHANGES_CHANNEL, &["channel.member_already", "channel.not_a_member", "user.erased", "workspace.not_a_member"]]
        }
        "remove_channel_member" => vec![
            CHANGES_CHANNEL,
            MEMBER,
            &["channel.admins_only", "channel.general_stays", "channel.last_admin", "channel.leave_instead", "channel.not_a_member"],
        ],
        "join_channel" => vec![CHANGES_CHANNEL, &["channel.private"]],
        "leave_channel" => vec![&["channel.direct_stays", "channel.general_stays", "channel.last_admin"]],
        "change_channel_role" => {
            vec![CHANGES_CHANNEL, MEMBER, &["channel.admins_only", "channel.last_admin", "channel.not_a_member"]]
        }
        "change_notification_level" => vec![&["channel.not_a_member"]],
        _ => return None,
    })
}

/// Messages, and all that finds them.
fn of_messages(operation: &str) -> Option<Parts> {
    use shared::{MESSAGE_STANDS, SEARCH, SIGNALS, TEXT, WRITES};
    Some(match operation {
        "post_message" => vec![
            WRITES,
            &[
                "channel.threads_disabled",
                "message.retained",
                "message.posted_already",
                "message.thread_nested",
                "message.thread_not_found",
                "message.thread_on_system_message",
                "projection.behind",
            ],
        ],
        "edit_message" => vec![
            MESSAGE_STANDS,
            WRITES,
            &["message.edit_window_closed", "message.not_the_author", "message.system_message_stays", "message.too_many_edits"],
        ],
        "delete_message" => vec![WRITES, &["message.not_the_author"]],
        "purge_message" => vec![&["workspace.held"]],
        "react" => vec![MESSAGE_STANDS, WRITES, &["message.not_an_emoji", "message.too_many_reactions"]],
        "take_reaction_back" | "pin_message" | "unpin_message" => vec![MESSAGE_STANDS, WRITES],
        "move_read_marker" => vec![&["channel.not_a_member", "message.retained", "message.not_found", "projection.behind"]],
        "announce_typing" => vec![SIGNALS, WRITES],
        "list_messages" | "list_retained_messages" => vec![&["message.not_found"]],
        "list_typing" => vec![SIGNALS],
        "search_messages" | "search_files" | "search_people" => vec![SEARCH],
        "read_log" | "read_audit" => vec![TEXT],
        _ => return None,
    })
}

/// The audit, the projections and the proof.
fn of_operators(operation: &str) -> Option<Parts> {
    use shared::{AGGREGATE, OPERATOR, PARKED, PROJECTION, PROOF, TEXT};
    Some(match operation {
        "read_history" | "read_as_of" | "read_difference" => vec![AGGREGATE],
        "read_chain" => vec![&["audit.event_not_found"]],
        "export_audit" => vec![TEXT, &["proof.cannot_sign", "proof.no_name"]],
        "list_projections" | "list_views" => vec![OPERATOR],
        "list_parked" => vec![PROJECTION],
        "retry_parked" | "skip_parked" => vec![PARKED, PROJECTION],
        "start_replay" => vec![
            PROJECTION,
            &["replay.indices_left", "replay.no_view", "replay.plan_invalid", "replay.relational_only", "replay.under_way"],
        ],
        "list_replays" => vec![PROJECTION],
        "get_current_replay" | "watch_replay" => vec![PROJECTION, &["replay.not_found"]],
        "cancel_replay" => vec![PROJECTION, &["replay.not_running"]],
        "drop_view" => vec![OPERATOR, &["replay.indices_left", "replay.view_not_found"]],
        "get_checkpoint" | "list_proof_keys" => vec![PROOF],
        "get_entries" | "get_tile" => vec![PROOF, &["proof.no_such_tile"]],
        "prove_inclusion" | "prove_consistency" => vec![PROOF, &["proof.not_in_tree"]],
        _ => return None,
    })
}
