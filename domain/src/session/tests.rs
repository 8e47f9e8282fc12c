//! Each test gives past events and a command, and compares the events or the refusal that follow.

use cqrs_es::test::TestFramework;

use super::{Attempt, EndReason, RefusalCause, Session, SessionCommand, SessionEvent, SessionRefusal, Start};
use crate::test_data::{ANN, by};

type Given = TestFramework<Session>;

fn start() -> Start {
    Start { user_id: ANN, device_type: Some("desktop".into()) }
}

fn attempt() -> Attempt {
    Attempt { user_id: Some(ANN), login_digest: None, cause: RefusalCause::WrongPassword, not_recorded: 0 }
}

fn ended(reason: EndReason) -> SessionEvent {
    SessionEvent::Ended { user_id: ANN, reason }
}

#[test]
fn a_session_is_started_and_ended_once() {
    Given::with(())
        .given_no_previous_events()
        .when((by(ANN), SessionCommand::Start(start())))
        .then_expect_events(vec![SessionEvent::Started(start())]);
    Given::with(())
        .given(vec![SessionEvent::Started(start())])
        .when((by(ANN), SessionCommand::Start(start())))
        .then_expect_error(SessionRefusal::BegunAlready);
    Given::with(())
        .given(vec![SessionEvent::Started(start())])
        .when((by(ANN), SessionCommand::End { user_id: ANN, reason: EndReason::SignedOut }))
        .then_expect_events(vec![ended(EndReason::SignedOut)]);
    Given::with(())
        .given(vec![SessionEvent::Started(start()), ended(EndReason::SignedOut)])
        .when((by(ANN), SessionCommand::End { user_id: ANN, reason: EndReason::Expired }))
        .then_expect_events(vec![]);
}

#[test]
fn a_session_of_an_earlier_release_is_ended_although_the_log_does_not_know_it() {
    Given::with(())
        .given_no_previous_events()
        .when((by(ANN), SessionCommand::End { user_id: ANN, reason: EndReason::Expired }))
        .then_expect_events(vec![ended(EndReason::Expired)]);
}

#[test]
fn a_refused_sign_in_is_recorded_once() {
    Given::with(())
        .given_no_previous_events()
        .when((by(ANN), SessionCommand::Refuse(attempt())))
        .then_expect_events(vec![SessionEvent::Refused(attempt())]);
    Given::with(())
        .given(vec![SessionEvent::Refused(attempt())])
        .when((by(ANN), SessionCommand::Refuse(attempt())))
        .then_expect_error(SessionRefusal::BegunAlready);
}
