//! The route table: every operation of the HTTP interface, one line each. Each resource has a file with its handlers.
//!
//! Not here: the rules that allow or refuse a command (`commands`), and the refusals' answers (`problem.rs`).

#![expect(unused_qualifications, reason = "utoipa's macros repeat our type names with their full paths")]

pub mod account;
mod analytics;
pub mod answer;
pub mod audit;
pub mod changes;
pub mod channel_details;
pub mod channel_members;
pub mod channels;
pub mod command_rows;
pub mod confirmation;
pub mod cors;
pub(crate) mod counts;
pub mod docs;
pub mod edits;
pub mod emojis;
pub mod erasures;
pub mod exports;
pub mod head;
pub mod headers;
pub mod health;
pub mod holds;
pub mod invitations;
pub mod live;
pub mod log;
pub mod me;
pub mod members;
pub mod mentions;
pub mod messages;
pub mod operators;
pub mod parked;
pub mod path;
pub mod pins;
pub mod presence;
pub mod projections;
pub mod proof;
pub mod protection;
pub mod reactions;
pub mod replays;
pub mod retention;
pub mod schema;
pub mod search;
pub mod server;
pub mod sessions;
pub(crate) mod sight;
pub mod start;
pub mod tickets;
pub mod typing;
pub mod unknown;
pub mod unread;
pub mod users;
pub mod with;
pub mod workspaces;

use utoipa_actix_web::scope;
use utoipa_actix_web::service_config::ServiceConfig;

/// The routes that the OpenAPI document shows.
pub fn routes(root: &mut ServiceConfig<'_>) {
    root.service(scope("/v1").configure(v1)).service(health::healthz).service(health::readyz);
}

/// The order matters for two reasons. The router compares the routes in turn, so the busiest come first. A fixed part
/// (`me`, `current`) must come before a variable that would match it too.
fn v1(v1: &mut ServiceConfig<'_>) {
    messages_routes(v1);
    channels_routes(v1);
    users_routes(v1);
    workspaces_routes(v1);
    operations_routes(v1);
    proof_routes(v1);
}

/// The routes of messages, and of all that finds them.
fn messages_routes(v1: &mut ServiceConfig<'_>) {
    v1.service(messages::post_message)
        .service(messages::list_messages)
        .service(messages::get_message)
        .service(messages::get_thread)
        .service(messages::edit_message)
        .service(edits::list_edits)
        .service(messages::delete_message)
        .service(messages::purge_message)
        .service(reactions::react)
        .service(reactions::take_reaction_back)
        .service(reactions::list_reactions)
        .service(pins::pin_message)
        .service(pins::unpin_message)
        .service(pins::list_pins)
        .service(mentions::list_mentions)
        .service(unread::move_read_marker)
        .service(unread::get_unread)
        .service(unread::mark_everything_read)
        .service(typing::announce_typing)
        .service(typing::list_typing)
        .service(search::search_messages)
        .service(search::search_files)
        .service(search::search_people);
}

/// Channels and their members.
fn channels_routes(v1: &mut ServiceConfig<'_>) {
    v1.service(channels::list_channels)
        .service(channels::get_channel)
        .service(channels::create_channel)
        .service(channel_details::rename_channel)
        .service(channel_details::change_topic)
        .service(channel_details::change_purpose)
        .service(channel_details::change_description)
        .service(channel_details::change_channel_settings)
        .service(channels::adopt_channel)
        .service(channels::archive_channel)
        .service(channels::unarchive_channel)
        .service(channel_members::list_channel_members)
        .service(channel_members::add_channel_member)
        .service(channel_members::remove_channel_member)
        .service(channel_members::join_channel)
        .service(channel_members::leave_channel)
        .service(channel_members::change_channel_role)
        .service(channel_members::change_notification_level);
}

/// Users and their sessions.
fn users_routes(v1: &mut ServiceConfig<'_>) {
    v1.service(users::register_user)
        .service(me::get_me)
        .service(me::change_profile)
        .service(me::change_preferences)
        .service(me::change_custom_status)
        .service(me::change_password)
        .service(erasures::erase_me)
        .service(erasures::keep_me)
        .service(exports::export_me)
        .service(users::get_user)
        .service(erasures::erase_user)
        .service(erasures::keep_user)
        .service(exports::export_user)
        .service(exports::get_export)
        .service(exports::download_export)
        .service(users::suspend_user)
        .service(users::reactivate_user)
        .service(sessions::start_session)
        .service(sessions::list_sessions)
        .service(sessions::end_current_session)
        .service(sessions::end_session)
        .service(tickets::create_live_ticket);
}

/// Workspaces, their members, and how long they keep messages.
fn workspaces_routes(v1: &mut ServiceConfig<'_>) {
    v1.service(live::open_live)
        .service(changes::list_changes)
        .service(start::get_start)
        .service(workspaces::create_workspace)
        .service(workspaces::list_workspaces)
        .service(workspaces::get_current_workspace)
        .service(workspaces::get_workspace)
        .service(workspaces::change_workspace)
        .service(workspaces::change_workspace_settings)
        .service(workspaces::change_workspace_plan)
        .service(workspaces::change_workspace_domain)
        .service(workspaces::remove_workspace_domain)
        .service(workspaces::hand_over_workspace)
        .service(holds::place_hold)
        .service(holds::list_holds)
        .service(holds::release_hold)
        .service(emojis::list_unicode_emojis)
        .service(emojis::list_emojis)
        .service(emojis::add_emoji)
        .service(emojis::remove_emoji)
        .service(retention::preview_retention)
        .service(retention::start_retention_run)
        .service(retention::list_retained_messages)
        .service(members::list_members)
        .service(members::get_member)
        .service(members::search_directory)
        .service(presence::announce_presence)
        .service(presence::end_presence)
        .service(presence::list_presence)
        .service(presence::get_presence)
        .service(members::change_member_role)
        .service(members::change_member_details)
        .service(members::change_member_permissions)
        .service(members::leave_workspace)
        .service(members::deactivate_member)
        .service(members::reactivate_member)
        .service(erasures::propose_erasure)
        .service(invitations::invite)
        .service(invitations::list_invitations)
        .service(invitations::get_invitation)
        .service(invitations::revoke_invitation)
        .service(invitations::accept_invitation);
}

/// The server itself, the audit, the projections and their replays.
fn operations_routes(v1: &mut ServiceConfig<'_>) {
    v1.service(server::get_server)
        .service(log::read_log)
        .service(audit::read_audit)
        .service(audit::through_time::read_history)
        .service(audit::through_time::read_as_of)
        .service(audit::through_time::read_difference)
        .service(audit::chain::read_chain)
        .service(audit::export::export_audit)
        .service(analytics::count_messages)
        .service(analytics::count_members)
        .service(projections::list_projections)
        .service(parked::list_parked)
        .service(parked::retry_parked)
        .service(parked::skip_parked)
        .service(replays::start_replay)
        .service(replays::list_replays)
        .service(replays::get_current_replay)
        .service(replays::cancel_replay)
        .service(replays::watch_replay)
        .service(replays::list_views)
        .service(replays::drop_view);
}

/// The proof that the log was not changed.
fn proof_routes(v1: &mut ServiceConfig<'_>) {
    v1.service(proof::get_checkpoint)
        .service(proof::list_proof_keys)
        .service(proof::get_entries)
        .service(proof::get_tile)
        .service(proof::prove_inclusion)
        .service(proof::prove_consistency);
}
