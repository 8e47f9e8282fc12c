//! Legal holds.

use super::*;
use crate::ids::{ChannelId, HoldId};
use crate::text::Reason;
use crate::workspace::decide::HOLDS_MAX;
use crate::workspace::{HoldTarget, Subject};

const HOLD: HoldId = HoldId(uuid::Uuid::from_u128(0x400));
const ANOTHER_CHANNEL: ChannelId = ChannelId(uuid::Uuid::from_u128(0x201));

fn reason() -> Reason {
    Reason::parse("Case 2026/114").expect("a reason")
}

pub(super) fn place() -> WorkspaceCommand {
    WorkspaceCommand::PlaceHold { hold_id: HOLD, on: HoldTarget::Workspace {}, reason: reason() }
}

pub(super) fn release() -> WorkspaceCommand {
    WorkspaceCommand::ReleaseHold { hold_id: HOLD, reason: reason() }
}

fn placed(on: HoldTarget) -> WorkspaceEvent {
    WorkspaceEvent::HoldPlaced { hold_id: HOLD, on, reason: reason(), placed_by: ANN }
}

fn released() -> WorkspaceEvent {
    WorkspaceEvent::HoldReleased { hold_id: HOLD, reason: reason(), released_by: BOB }
}

fn after(events: Vec<WorkspaceEvent>) -> Workspace {
    let mut workspace = Workspace::default();
    acme().into_iter().chain(events).for_each(|event| cqrs_es::Aggregate::apply(&mut workspace, event));
    workspace
}

#[test]
fn the_workspace_a_channel_and_a_person_are_held() {
    for on in [HoldTarget::Workspace {}, HoldTarget::Channel { channel_id: GENERAL }, HoldTarget::Person { user_id: CAT }] {
        Given::with(())
            .given(acme())
            .when((by(ANN), WorkspaceCommand::PlaceHold { hold_id: HOLD, on, reason: reason() }))
            .then_expect_events(vec![placed(on)]);
    }
}

#[test]
fn a_former_member_is_held_and_a_stranger_is_not() {
    let hold = |user_id| WorkspaceCommand::PlaceHold { hold_id: HOLD, on: HoldTarget::Person { user_id }, reason: reason() };
    Given::with(())
        .given(acme())
        .and(vec![deactivated(CAT)])
        .when((by(ANN), hold(CAT)))
        .then_expect_events(vec![placed(HoldTarget::Person { user_id: CAT })]);
    Given::with(()).given(acme()).when((by(ANN), hold(DAN))).then_expect_error(WorkspaceRefusal::HoldTargetNotFound);
}

#[test]
fn a_hold_is_released_once() {
    let on = HoldTarget::Workspace {};
    Given::with(()).given(acme()).and(vec![placed(on)]).when((by(BOB), release())).then_expect_events(vec![released()]);
    Given::with(())
        .given(acme())
        .and(vec![placed(on), released()])
        .when((by(BOB), release()))
        .then_expect_error(WorkspaceRefusal::HoldNotFound);
}

#[test]
fn a_hold_covers_what_it_was_placed_on_until_it_is_released() {
    let message = |channel_id, author| Subject::Message { channel_id, author };
    let person = |user_id| Subject::Person { user_id };
    let all = [message(GENERAL, CAT), message(GENERAL, BOB), message(ANOTHER_CHANNEL, CAT), message(ANOTHER_CHANNEL, BOB)];
    let covered = |on, subjects: &[Subject]| {
        let held = after(vec![placed(on)]);
        subjects.iter().map(|subject| held.not_held(*subject) == Err(WorkspaceRefusal::Held(HOLD))).collect::<Vec<_>>()
    };
    assert_eq!(covered(HoldTarget::Workspace {}, &all), [true; 4]);
    assert_eq!(covered(HoldTarget::Channel { channel_id: GENERAL }, &all), [true, true, false, false]);
    assert_eq!(covered(HoldTarget::Person { user_id: CAT }, &all), [true, false, true, false]);
    // A user's messages in a held channel must not be erased with the user.
    assert_eq!(covered(HoldTarget::Channel { channel_id: GENERAL }, &[person(CAT), person(BOB)]), [true, true]);
    assert_eq!(covered(HoldTarget::Person { user_id: CAT }, &[person(CAT), person(BOB)]), [true, false]);
    let free = after(vec![placed(HoldTarget::Workspace {}), released()]);
    assert!(all.iter().all(|subject| free.not_held(*subject).is_ok()));
}

#[test]
fn a_refusal_names_the_hold() {
    let said = WorkspaceRefusal::Held(HOLD).to_string();
    assert!(said.contains(&HOLD.to_string()), "{said}");
}

#[test]
fn holds_above_the_limit_are_refused() {
    let placed = |n: usize| WorkspaceEvent::HoldPlaced {
        hold_id: HoldId(uuid::Uuid::from_u128(0x9000 + n as u128)),
        on: HoldTarget::Workspace {},
        reason: reason(),
        placed_by: ANN,
    };
    let standing = acme().into_iter().chain((0..HOLDS_MAX).map(placed)).collect::<Vec<_>>();
    Given::with(()).given(standing).when((by(ANN), place())).then_expect_error(WorkspaceRefusal::TooManyHolds(HOLDS_MAX));
}
