//! The rules of the workspace's own emojis.

use super::{Given, acme};
use crate::test_data::{ANN, BOB, by};
use crate::text::EmojiName;
use crate::workspace::decide::EMOJIS_MAX;
use crate::workspace::{WorkspaceCommand, WorkspaceEvent, WorkspaceRefusal};

fn name(text: &str) -> EmojiName {
    EmojiName::parse(text).expect("a name")
}

fn add(text: &str) -> WorkspaceCommand {
    WorkspaceCommand::AddEmoji { name: name(text) }
}

fn remove(text: &str) -> WorkspaceCommand {
    WorkspaceCommand::RemoveEmoji { name: name(text) }
}

fn added(text: &str) -> WorkspaceEvent {
    WorkspaceEvent::EmojiAdded { name: name(text), added_by: ANN }
}

fn given(events: impl IntoIterator<Item = WorkspaceEvent>) -> cqrs_es::test::AggregateTestExecutor<super::Workspace> {
    Given::with(()).given(acme().into_iter().chain(events).collect())
}

#[test]
fn an_emoji_is_added_once_and_removed() {
    given([]).when((by(ANN), add("party_parrot"))).then_expect_events(vec![added("party_parrot")]);
    given([added("party_parrot")]).when((by(BOB), add(":Party_Parrot:"))).then_expect_events(vec![]);
    let removed = WorkspaceEvent::EmojiRemoved { name: name("party_parrot"), removed_by: BOB };
    given([added("party_parrot")]).when((by(BOB), remove("party_parrot"))).then_expect_events(vec![removed.clone()]);
    given([added("party_parrot"), removed]).when((by(ANN), add("party_parrot"))).then_expect_events(vec![added("party_parrot")]);
}

#[test]
fn removing_an_emoji_that_the_workspace_does_not_have_changes_nothing() {
    given([added("sourdough")]).when((by(ANN), remove("party_parrot"))).then_expect_events(vec![]);
    Given::with(()).given_no_previous_events().when((by(ANN), add("sourdough"))).then_expect_error(WorkspaceRefusal::NotFound);
}

#[test]
fn a_workspace_has_a_limited_number_of_emojis() {
    let many = |count: usize| (0..count).map(|n| added(&format!("emoji-{n}"))).collect::<Vec<_>>();
    given(many(EMOJIS_MAX - 1)).when((by(ANN), add("the-last"))).then_expect_events(vec![added("the-last")]);
    given(many(EMOJIS_MAX)).when((by(ANN), add("one-more"))).then_expect_error(WorkspaceRefusal::TooManyEmojis(EMOJIS_MAX));
    given(many(EMOJIS_MAX)).when((by(ANN), add("emoji-0"))).then_expect_events(vec![]);
}
