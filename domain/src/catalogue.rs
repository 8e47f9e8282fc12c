//! What the domain says of itself: every event, every permission and every refusal, as `docs/EVENTS.md` lists them.
//!
//! The examples are the fixtures that the tests read back, so the page cannot show what the code would not accept.

use std::fmt::Write;

use crate::channel::ChannelRefusal;
use crate::event::AggregateType;
use crate::installation::InstallationRefusal;
use crate::message::MessageRefusal;
use crate::permission;
use crate::refusal::{RefusalEntry, RefusalKind};
use crate::retention::RetentionRefusal;
use crate::session::SessionRefusal;
use crate::user::UserRefusal;
use crate::workspace::WorkspaceRefusal;

/// An event as the documentation lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventEntry {
    /// The name on the wire.
    pub wire_name: &'static str,
    /// The version of the payload that is written today.
    pub version: &'static str,
    /// What it means, in a sentence.
    pub meaning: &'static str,
    /// A payload as it is stored, with every field filled in.
    pub example: &'static str,
}

macro_rules! event {
    ($wire_name:literal, $version:literal, $meaning:literal) => {
        EventEntry {
            wire_name: $wire_name,
            version: $version,
            meaning: $meaning,
            example: include_str!(concat!("../fixtures/", $wire_name, ".v", $version, ".json")),
        }
    };
}

/// Every event there is, by aggregate. A test holds that none lacks.
pub const EVENTS: &[EventEntry] = &[
    event!("user.registered", "1", "Somebody became a user."),
    event!("user.profile_changed", "1", "What others see of the user; the whole of it, as it is now."),
    event!("user.preferences_changed", "1", "The user's own settings; the whole of them, as they are now."),
    event!("user.status_changed", "1", "What the user is doing just now, or nothing."),
    event!("user.suspended", "1", "The user was locked out of the whole server."),
    event!("user.reactivated", "1", "The user was let in again."),
    event!("user.erasure_requested", "1", "The user is to be erased, from `due_at` on, unless that is cancelled before."),
    event!("user.erasure_cancelled", "1", "The user is not to be erased after all."),
    event!("user.erased", "1", "The user was erased, for ever; their key, and those of their invitations, were destroyed with it."),
    event!("workspace.created", "1", "A workspace was created; its owner joins right after."),
    event!("workspace.details_changed", "1", "Name, description or picture; all of them, as they are now."),
    event!("workspace.settings_changed", "2", "How the workspace is run; all settings, as they are now."),
    event!("workspace.plan_changed", "1", "What the workspace pays for, as an operator of the server has said."),
    event!("workspace.member_invited", "1", "Somebody was invited by mail."),
    event!("workspace.invitation_revoked", "1", "An invitation was taken back."),
    event!("workspace.member_joined", "1", "Somebody became a member."),
    event!("workspace.member_role_changed", "1", "A member became an owner, an admin, a member or a guest."),
    event!("workspace.member_details_changed", "1", "A member's title and department here, as they are now."),
    event!("workspace.member_permissions_changed", "1", "A member's permission overrides; all of them, as they are now."),
    event!("workspace.member_deactivated", "1", "A member was shut out."),
    event!("workspace.member_reactivated", "1", "A deactivated member was let in again, as what they were."),
    event!("workspace.handed_over", "1", "One owner put another member in their place, and became an admin."),
    event!("workspace.hold_placed", "1", "A legal hold: nothing that it covers is archived, purged or erased."),
    event!("workspace.hold_released", "1", "A legal hold ended."),
    event!("channel.created", "1", "A channel was created; who is in it from the start joins right after."),
    event!("channel.renamed", "1", "The channel got another name, or another display name."),
    event!("channel.topic_changed", "1", "What is being talked about, or nothing."),
    event!("channel.purpose_changed", "1", "What the channel is for, or nothing."),
    event!("channel.description_changed", "1", "The channel's description, or none."),
    event!("channel.settings_changed", "1", "How the channel is run; all settings, as they are now."),
    event!("channel.member_joined", "1", "Somebody joined the channel, or was added."),
    event!("channel.member_left", "1", "Somebody left the channel."),
    event!("channel.member_removed", "1", "Somebody was removed from the channel."),
    event!("channel.member_role_changed", "1", "A member became an admin of the channel, or ceased to be one."),
    event!("channel.notification_level_changed", "1", "What a member is told about."),
    event!("channel.archived", "1", "The channel stays readable, and nobody can post in it any more."),
    event!("channel.unarchived", "1", "The channel was opened again."),
    event!("message.posted", "1", "A message was posted. `sent_at` is the original time of what was imported."),
    event!("message.edited", "1", "The message got another text."),
    event!("message.deleted", "1", "The message was deleted."),
    event!("message.pinned", "1", "The message was pinned to its channel."),
    event!("message.unpinned", "1", "The pin was taken off."),
    event!("message.reacted", "1", "Somebody reacted to the message."),
    event!("message.reaction_removed", "1", "A reaction was taken back."),
    event!("message.purged", "1", "The message was emptied for law, wherever it is shown or found."),
    event!(
        "retention.applied",
        "1",
        "Messages left their channel, because its retention policy said so: those that are named, and no others."
    ),
    event!("installation.replay_started", "1", "A projection began to be built anew: all of it, a workspace's rows, or a view as of then."),
    event!("installation.replay_ended", "1", "What came of it."),
    event!("installation.replay_switched_with_differences", "1", "The new model was switched to although it differs: that was accepted."),
    event!("installation.event_skipped", "1", "A projection leaves out an event that it cannot apply, now and in every replay."),
    event!("installation.event_retried", "1", "What waited behind an event that could not be applied was applied after all."),
    event!("installation.proof_key_rotated", "1", "Another key signs the heads of the log from the next one on."),
    event!("session.started", "1", "Somebody signed in. From where is said by the metadata."),
    event!("session.refused", "1", "Somebody was not signed in. It has no password, and no login that nobody has."),
    event!("session.ended", "1", "Somebody is not signed in any more."),
    event!("audit.read", "1", "Somebody read the audit of the workspace."),
    event!("audit.exported", "1", "Somebody took a copy of the workspace's audit, or of a part of it, out of here."),
];

/// Every refusal of that aggregate's commands.
#[must_use]
pub fn refusals(aggregate: AggregateType) -> &'static [RefusalEntry] {
    match aggregate {
        AggregateType::User => UserRefusal::ALL,
        AggregateType::Workspace => WorkspaceRefusal::ALL,
        AggregateType::Channel => ChannelRefusal::ALL,
        AggregateType::Message => MessageRefusal::ALL,
        AggregateType::Retention => RetentionRefusal::ALL,
        AggregateType::Installation => InstallationRefusal::ALL,
        AggregateType::Session => SessionRefusal::ALL,
        // Whoever may ask is noted, always.
        AggregateType::Audit => &[],
    }
}

/// The text of `docs/EVENTS.md`.
#[must_use]
pub fn events_markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    for aggregate in AggregateType::ALL {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## {}\n\n{}", aggregate.as_str(), events_table(aggregate));
        events_of(aggregate).for_each(|event| page.push_str(&event_section(event)));
        if !refusals(aggregate).is_empty() {
            let _ = write!(page, "\n### Refusals of {} commands\n\n{}", aggregate.as_str(), refusals_table(refusals(aggregate)));
        }
    }
    let _ = write!(page, "\n## Permissions\n\n{PERMISSIONS_INTRODUCTION}\n{}", permission::as_markdown());
    page
}

const INTRODUCTION: &str = "\
# Events

Generated by `backscroll events`; do not edit. Everything that happens is one of these, in the column `payload` of the log, under its name.
A payload that must change gets a new version and an upcaster (`domain/src/upcast.rs`); what was once written stays readable.
Where an example shows a field that may be absent, it is left out of the payload when there is nothing to say.
";

const PERMISSIONS_INTRODUCTION: &str = "\
What each role may do in a workspace. A member's overrides (`workspace.member_permissions_changed`) grant beyond it or deny in spite of it.
";

fn events_of(aggregate: AggregateType) -> impl Iterator<Item = &'static EventEntry> {
    EVENTS.iter().filter(move |event| event.wire_name.split_once('.').is_some_and(|(name, _)| name == aggregate.as_str()))
}

fn events_table(aggregate: AggregateType) -> String {
    let mut table = String::from("| event | version | meaning |\n|---|---|---|\n");
    for event in events_of(aggregate) {
        let anchor = event.wire_name.replace('.', "");
        let _ = writeln!(table, "| [`{}`](#{anchor}) | {} | {} |", event.wire_name, event.version, event.meaning);
    }
    table
}

fn event_section(event: &EventEntry) -> String {
    format!("\n### {}\n\n{}\n\n```json\n{}```\n", event.wire_name, event.meaning, event.example)
}

fn refusals_table(refusals: &[RefusalEntry]) -> String {
    let mut table = String::from("| code | kind | meaning |\n|---|---|---|\n");
    for refusal in refusals {
        let meaning = match refusal.message {
            "{0}" => "a setting is out of range: it says which, and what it may be".to_owned(),
            message => message.replace("{0}", "…"),
        };
        let _ = writeln!(table, "| `{}` | {} | {meaning} |", refusal.code, kind(refusal.kind));
    }
    table
}

fn kind(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::NotFound => "not found",
        RefusalKind::Forbidden => "forbidden",
        RefusalKind::Conflict => "conflict",
        RefusalKind::Invalid => "invalid",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn all_refusals() -> impl Iterator<Item = &'static RefusalEntry> {
        AggregateType::ALL.into_iter().flat_map(refusals)
    }

    #[test]
    fn every_refusal_of_an_aggregate_has_a_code_of_its_own() {
        for aggregate in AggregateType::ALL {
            let codes = refusals(aggregate).iter().map(|r| r.code).collect::<BTreeSet<_>>();
            assert_eq!(codes.len(), refusals(aggregate).len(), "{aggregate:?}");
        }
    }

    #[test]
    fn a_code_is_an_aggregate_and_words() {
        for refusal in all_refusals() {
            let (aggregate, words) = refusal.code.split_once('.').expect("a dot");
            assert!(AggregateType::named(aggregate).is_some(), "{}", refusal.code);
            assert!(!words.is_empty() && words.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", refusal.code);
        }
    }

    #[test]
    fn a_code_that_two_aggregates_share_means_the_same_to_both() {
        let mut meanings = BTreeMap::new();
        for refusal in all_refusals() {
            let first = meanings.entry(refusal.code).or_insert(refusal);
            assert_eq!((first.kind, first.message), (refusal.kind, refusal.message), "{}", refusal.code);
        }
    }

    #[test]
    fn a_refusal_is_a_phrase_without_a_full_stop() {
        for refusal in all_refusals() {
            let fine = !refusal.message.ends_with('.') && !refusal.message.starts_with(char::is_uppercase);
            assert!(fine, "{}", refusal.message);
        }
    }

    #[test]
    fn the_page_has_every_event_refusal_and_permission() {
        let page = events_markdown();
        let names = EVENTS.iter().map(|e| e.wire_name).chain(all_refusals().map(|r| r.code));
        for name in names.chain(permission::Permission::ALL.iter().map(|p| p.as_str())) {
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
        assert!(!page.contains("{0}"));
    }
}
