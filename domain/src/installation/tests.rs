//! Each test gives past events and a command, and compares the events or the refusal that follow.

use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::{
    Installation, InstallationCommand, InstallationEvent, InstallationRefusal, KeyChange, ReplayEnd, ReplayOutcome, ReplayScope,
    ReplayStart, SkippedEvent,
};
use crate::test_data::{ANN, by};
use crate::text::Reason;

type Given = TestFramework<Installation>;

const FIRST: Uuid = Uuid::from_u128(1);
const SECOND: Uuid = Uuid::from_u128(2);

fn start(replay_id: Uuid) -> Box<ReplayStart> {
    Box::new(ReplayStart {
        replay_id,
        projection: "relational".into(),
        scope: ReplayScope::Whole,
        dry_run: false,
        accepts_differences: false,
    })
}

fn started(replay_id: Uuid) -> InstallationEvent {
    InstallationEvent::ReplayStarted(start(replay_id))
}

fn end(replay_id: Uuid, outcome: ReplayOutcome) -> Box<ReplayEnd> {
    Box::new(ReplayEnd::of(replay_id, "relational".into(), outcome))
}

fn skipped() -> SkippedEvent {
    SkippedEvent { projection: "relational".into(), position: 7, reason: Reason::parse("nobody misses it").expect("a reason") }
}

#[test]
fn a_replay_is_started_and_ended() {
    Given::with(())
        .given_no_previous_events()
        .when((by(ANN), InstallationCommand::StartReplay(start(FIRST))))
        .then_expect_events(vec![started(FIRST)]);
    Given::with(())
        .given(vec![started(FIRST)])
        .when((by(ANN), InstallationCommand::EndReplay(end(FIRST, ReplayOutcome::Switched))))
        .then_expect_events(vec![InstallationEvent::ReplayEnded(end(FIRST, ReplayOutcome::Switched))]);
}

#[test]
fn a_replay_that_never_ended_is_ended_by_the_next_one() {
    Given::with(())
        .given(vec![started(FIRST)])
        .when((by(ANN), InstallationCommand::StartReplay(start(SECOND))))
        .then_expect_events(vec![InstallationEvent::ReplayEnded(end(FIRST, ReplayOutcome::CutOff)), started(SECOND)]);
}

#[test]
fn a_replay_ends_once() {
    for given in [vec![], vec![started(SECOND)], vec![started(FIRST), InstallationEvent::ReplayEnded(end(FIRST, ReplayOutcome::Failed))]] {
        Given::with(())
            .given(given)
            .when((by(ANN), InstallationCommand::EndReplay(end(FIRST, ReplayOutcome::Switched))))
            .then_expect_error(InstallationRefusal::ReplayNotRunning);
    }
}

#[test]
fn a_switch_in_spite_of_differences_has_an_event_of_its_own() {
    let differing = |outcome| Box::new(ReplayEnd { position: Some(9), differences: vec!["messages".into()], ..*end(FIRST, outcome) });
    Given::with(())
        .given(vec![started(FIRST)])
        .when((by(ANN), InstallationCommand::EndReplay(differing(ReplayOutcome::Switched))))
        .then_expect_events(vec![
            InstallationEvent::ReplaySwitchedWithDifferences {
                replay_id: FIRST,
                projection: "relational".into(),
                position: Some(9),
                differences: vec!["messages".into()],
            },
            InstallationEvent::ReplayEnded(differing(ReplayOutcome::Switched)),
        ]);
    Given::with(())
        .given(vec![started(FIRST)])
        .when((by(ANN), InstallationCommand::EndReplay(differing(ReplayOutcome::Differs))))
        .then_expect_events(vec![InstallationEvent::ReplayEnded(differing(ReplayOutcome::Differs))]);
}

#[test]
fn an_event_is_skipped_once() {
    Given::with(())
        .given_no_previous_events()
        .when((by(ANN), InstallationCommand::SkipEvent(skipped())))
        .then_expect_events(vec![InstallationEvent::EventSkipped(skipped())]);
    Given::with(())
        .given(vec![InstallationEvent::EventSkipped(skipped())])
        .when((by(ANN), InstallationCommand::SkipEvent(skipped())))
        .then_expect_events(vec![]);
}

#[test]
fn a_retry_is_recorded() {
    let (projection, park_key) = ("relational".to_owned(), "workspace:1".to_owned());
    Given::with(())
        .given_no_previous_events()
        .when((
            by(ANN),
            InstallationCommand::NoteRetry { projection: projection.clone(), park_key: park_key.clone(), position: 7, events: 3 },
        ))
        .then_expect_events(vec![InstallationEvent::EventRetried { projection, park_key, position: 7, events: 3 }]);
}

#[test]
fn a_new_key_is_recorded_once() {
    let note = |vkey: &str, change| InstallationCommand::NoteKeyRotation { vkey: vkey.into(), change };
    let noted = |vkey: &str, change| InstallationEvent::ProofKeyRotated { vkey: vkey.into(), change };
    let (first, second) = ("chat.example.org/v1/proof+1f2e3d4c+AbCd", "chat.example.org/v1/proof+2e3d4c5b+EfGh");
    Given::with(())
        .given_no_previous_events()
        .when((by(ANN), note(first, KeyChange::First)))
        .then_expect_events(vec![noted(first, KeyChange::First)]);
    for change in [KeyChange::Rotation, KeyChange::NewTrust] {
        Given::with(())
            .given(vec![noted(first, KeyChange::First)])
            .when((by(ANN), note(second, change)))
            .then_expect_events(vec![noted(second, change)]);
    }
    Given::with(()).given(vec![noted(first, KeyChange::First)]).when((by(ANN), note(first, KeyChange::First))).then_expect_events(vec![]);
}
