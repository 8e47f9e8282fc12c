//! The lists of all events, permissions and refusals, from which `docs/EVENTS.md` is written.
//!
//! The examples are the fixtures that the tests read back, so the page shows only payloads that the code accepts.

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
    /// The version of the payload that this release writes.
    pub version: &'static str,
    /// Its meaning, in a sentence.
    pub meaning: &'static str,
    /// A stored payload, with every field filled in.
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

/// Every event, by aggregate. A test fails when one is missing.
pub const EVENTS: &[EventEntry] = &[
    event!("user.registered", "1", "A person registered as a user."),
    event!("user.profile_changed", "1", "The user's profile changed. The payload has the whole profile."),
    event!("user.preferences_changed", "1", "The user's preferences changed. The payload has all of them."),
    event!("user.status_changed", "1", "The user set or cleared their status."),
    event!("user.suspended", "1", "An operator suspended the user on the whole server."),
    event!("user.reactivated", "1", "An operator ended the user's suspension."),
    event!("user.made_operator", "1", "The user became an operator of the server."),
    event!("user.operator_removed", "1", "The user is not an operator of the server any more."),
    event!("user.password_reset", "1", "An operator of the server set a new password for the user, on the command line."),
    event!("user.erasure_proposed", "1", "A workspace owner proposed to the operators to erase the user, who is or was in the workspace."),
    event!("user.erasure_requested", "1", "An erasure of the user was requested. It is due at `due_at`, and can be cancelled until then."),
    event!("user.erasure_cancelled", "1", "The erasure of the user was cancelled."),
    event!(
        "user.erased",
        "1",
        "The user was erased for ever. Their key and the keys of their invitations were destroyed in the same transaction."
    ),
    event!("workspace.created", "1", "A workspace was created. Its owner joins in the next event."),
    event!("workspace.details_changed", "1", "The workspace's name, description or picture changed. The payload has all three."),
    event!("workspace.domain_changed", "1", "The workspace got another domain, or none (`null`)."),
    event!("workspace.settings_changed", "2", "The workspace's settings changed. The payload has all of them."),
    event!("workspace.plan_changed", "1", "An operator of the server changed the workspace's plan."),
    event!("workspace.member_invited", "1", "A person was invited by mail address."),
    event!("workspace.invitation_revoked", "1", "An invitation was revoked."),
    event!("workspace.member_joined", "1", "A user became a member of the workspace."),
    event!("workspace.member_role_changed", "1", "A member's role changed."),
    event!("workspace.member_details_changed", "1", "A member's title or department in the workspace changed. The payload has both."),
    event!("workspace.member_permissions_changed", "1", "A member's permission overrides changed. The payload has all of them."),
    event!("workspace.member_deactivated", "1", "A member was deactivated."),
    event!("workspace.member_reactivated", "1", "A deactivated member was reactivated, with the same role as before."),
    event!("workspace.handed_over", "1", "An owner handed the workspace over to another member, and became an admin."),
    event!("workspace.hold_placed", "1", "A legal hold was placed. Data under it are neither archived, purged nor erased."),
    event!("workspace.hold_released", "1", "A legal hold was released."),
    event!("workspace.emoji_added", "1", "An emoji of the workspace's own was added."),
    event!("workspace.emoji_removed", "1", "An emoji of the workspace's own was removed. Reactions with it stay."),
    event!("channel.created", "1", "A channel was created. Its first members join in the next events."),
    event!("channel.renamed", "1", "The channel's name or display name changed."),
    event!("channel.topic_changed", "1", "The channel's topic was set or cleared."),
    event!("channel.purpose_changed", "1", "The channel's purpose was set or cleared."),
    event!("channel.description_changed", "1", "The channel's description was set or cleared."),
    event!("channel.settings_changed", "1", "The channel's settings changed. The payload has all of them."),
    event!("channel.member_joined", "1", "A user joined the channel, or was added to it."),
    event!("channel.member_left", "1", "A member left the channel."),
    event!("channel.member_removed", "1", "A member was removed from the channel."),
    event!("channel.member_role_changed", "1", "A member's role in the channel changed."),
    event!("channel.notification_level_changed", "1", "A member changed what they are notified of in the channel."),
    event!("channel.archived", "1", "The channel was archived. It stays readable, and posts to it are refused."),
    event!("channel.unarchived", "1", "The archived channel was reopened."),
    event!(
        "message.posted",
        "2",
        "A message was posted. Its place is the time of recording, or `sent_at` if there is no `moment` (imports)."
    ),
    event!("message.edited", "1", "The message's text was edited."),
    event!("message.deleted", "1", "The message was deleted."),
    event!("message.pinned", "1", "The message was pinned to its channel."),
    event!("message.unpinned", "1", "The message was unpinned."),
    event!("message.reacted", "1", "A user reacted to the message."),
    event!("message.reaction_removed", "1", "A user removed their reaction."),
    event!("message.purged", "1", "The message was purged for legal reasons: its text is removed everywhere."),
    event!("retention.applied", "1", "The retention policy archived or purged the messages that the payload names, and no others."),
    event!(
        "installation.replay_started",
        "2",
        "A replay of a projection started: of the whole model, of one workspace's rows, or of a view."
    ),
    event!("installation.replay_ended", "1", "A replay ended. The payload has the outcome."),
    event!(
        "installation.replay_switched_with_differences",
        "1",
        "A replay switched to the new model although it differs, because the caller had accepted differences."
    ),
    event!("installation.event_skipped", "1", "A projection skips an event that it cannot apply, now and in every replay."),
    event!("installation.event_retried", "1", "An event that could not be applied before, and the events behind it, were applied."),
    event!(
        "installation.proof_key_rotated",
        "1",
        "A new key signs the log from the next head on: the first one, one that replaces another, or one after a loss (`change`)."
    ),
    event!(
        "installation.client_ids_removed",
        "1",
        "Clients' identifiers of messages were removed from the events of earlier releases, which kept them in clear."
    ),
    event!("session.started", "1", "A user signed in. The metadata has the address."),
    event!("session.refused", "1", "A sign-in was refused. The payload has neither the password nor a login that no user has."),
    event!("session.ended", "1", "A session ended."),
    event!("audit.read", "1", "A user read the audit of the workspace."),
    event!("audit.exported", "1", "A user exported the workspace's audit, or a part of it."),
];

/// Every refusal of the commands of an aggregate.
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
        // The audit records every use, and refuses none.
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

Generated by `backscroll events`; do not edit. Every change is one of these events. The column `payload` of the log has
it, under its name. A payload that must change gets a new version and an upcaster (`domain/src/upcast.rs`). Old events
stay readable. The examples show every field; a field that has no value is left out of the payload.
";

const PERMISSIONS_INTRODUCTION: &str = "\
The table shows the permissions of each role in a workspace. A member's overrides
(`workspace.member_permissions_changed`) grant a permission that the role lacks, or deny one that the role has.
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
            "{0}" => "a setting is out of range: the text names the setting and its range".to_owned(),
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
        RefusalKind::ConditionFailed => "condition failed",
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
