//! Each test gives past events and a command, and compares the events or the refusal that follow.

use chrono::TimeDelta;
use cqrs_es::test::TestFramework;
use serde_json::json;

use super::decide::PREFERENCES_BYTES_MAX;
use super::{Preferences, Profile, Registration, User, UserCommand, UserEvent, UserRefusal};
use crate::ids::{UserId, WorkspaceId};
use crate::test_data::{ACME, ANN, BOB, by, by_at, minutes_later, now};
use crate::text::{DisplayName, Email, Emoji, Language, Reason, StatusText, Timezone, Title, Username};

type Given = TestFramework<User>;

fn profile(display_name: &str) -> Box<Profile> {
    let display_name = DisplayName::parse(display_name).expect("a name");
    Box::new(Profile { display_name, avatar_url: None, title: Title::parse("Engineer").ok(), phone: None, bio: None, pronouns: None })
}

fn preferences(language: &str) -> Preferences {
    let notification_settings = json!({"sound": true}).as_object().cloned().expect("an object");
    let timezone = Timezone::parse("Europe/Zurich").ok();
    Preferences { timezone, language: Language::parse(language).ok(), notification_settings, ..Preferences::default() }
}

fn registration() -> Box<Registration> {
    Box::new(Registration {
        email: Email::parse("ann@example.org").expect("an address"),
        username: Username::parse("ann").expect("a name"),
        profile: *profile("Ann"),
        preferences: preferences("en"),
        is_bot: false,
        is_operator: true,
    })
}

fn registered() -> UserEvent {
    UserEvent::Registered(registration())
}

fn suspended() -> UserEvent {
    UserEvent::Suspended { reason: None }
}

fn status(expires_at: Option<chrono::DateTime<chrono::Utc>>) -> UserCommand {
    UserCommand::ChangeStatus { text: StatusText::parse("at lunch").ok(), emoji: Emoji::parse("🥪").ok(), expires_at }
}

#[test]
fn a_user_registers() {
    Given::with(())
        .given_no_previous_events()
        .when((by(ANN), UserCommand::Register(registration())))
        .then_expect_events(vec![registered()]);
}

#[test]
fn nobody_registers_twice() {
    Given::with(())
        .given(vec![registered()])
        .when((by(ANN), UserCommand::Register(registration())))
        .then_expect_error(UserRefusal::RegisteredAlready);
}

#[test]
fn before_registration_everything_else_is_refused() {
    let commands = [
        UserCommand::ChangeProfile(profile("Ann")),
        UserCommand::ChangePreferences(preferences("de")),
        status(None),
        UserCommand::Suspend { reason: None },
        UserCommand::Reactivate,
        UserCommand::RequestErasure { wait: TimeDelta::zero() },
        UserCommand::CancelErasure,
        UserCommand::Erase { invitations: Vec::new() },
    ];
    for command in commands {
        Given::with(()).given_no_previous_events().when((by(ANN), command)).then_expect_error(UserRefusal::NotFound);
    }
}

#[test]
fn a_profile_is_changed() {
    Given::with(())
        .given(vec![registered()])
        .when((by(ANN), UserCommand::ChangeProfile(profile("Ann B."))))
        .then_expect_events(vec![UserEvent::ProfileChanged(profile("Ann B."))]);
}

#[test]
fn an_unchanged_profile_is_no_event() {
    Given::with(())
        .given(vec![registered(), UserEvent::ProfileChanged(profile("Ann B."))])
        .when((by(ANN), UserCommand::ChangeProfile(profile("Ann B."))))
        .then_expect_events(vec![]);
}

#[test]
fn preferences_are_changed() {
    Given::with(())
        .given(vec![registered()])
        .when((by(ANN), UserCommand::ChangePreferences(preferences("de-CH"))))
        .then_expect_events(vec![UserEvent::PreferencesChanged(preferences("de-CH"))]);
}

#[test]
fn unchanged_preferences_are_no_event() {
    Given::with(())
        .given(vec![registered(), UserEvent::PreferencesChanged(preferences("de-CH"))])
        .when((by(ANN), UserCommand::ChangePreferences(preferences("de-CH"))))
        .then_expect_events(vec![]);
}

#[test]
fn a_status_is_set_until_a_moment_in_the_future() {
    Given::with(()).given(vec![registered()]).when((by(ANN), status(Some(minutes_later(1))))).then_expect_events(vec![
        UserEvent::StatusChanged {
            text: StatusText::parse("at lunch").ok(),
            emoji: Emoji::parse("🥪").ok(),
            expires_at: Some(minutes_later(1)),
        },
    ]);
}

#[test]
fn a_status_is_cleared() {
    let clear = || UserCommand::ChangeStatus { text: None, emoji: None, expires_at: None };
    let cleared = UserEvent::StatusChanged { text: None, emoji: None, expires_at: None };
    let set = UserEvent::StatusChanged { text: StatusText::parse("at lunch").ok(), emoji: None, expires_at: None };
    let given = |events: Vec<UserEvent>| Given::with(()).given([vec![registered()], events].concat());
    given(vec![set.clone()]).when((by(ANN), clear())).then_expect_events(vec![cleared.clone()]);
    given(vec![]).when((by(ANN), clear())).then_expect_events(vec![]);
    given(vec![set, cleared]).when((by(ANN), clear())).then_expect_events(vec![]);
}

#[test]
fn a_status_cannot_end_in_a_year_that_no_database_knows() {
    let end = "+262142-12-31T23:59:59Z".parse().expect("a time");
    Given::with(()).given(vec![registered()]).when((by(ANN), status(Some(end)))).then_expect_error(UserRefusal::StatusOver);
}

#[test]
fn a_status_cannot_end_before_it_begins() {
    for end in [now(), minutes_later(-1)] {
        Given::with(()).given(vec![registered()]).when((by(ANN), status(Some(end)))).then_expect_error(UserRefusal::StatusOver);
    }
}

#[test]
fn a_suspended_user_changes_nothing() {
    for command in [UserCommand::ChangeProfile(profile("Ann")), UserCommand::ChangePreferences(preferences("de")), status(None)] {
        Given::with(()).given(vec![registered(), suspended()]).when((by(ANN), command)).then_expect_error(UserRefusal::Suspended);
    }
}

#[test]
fn a_user_is_suspended_for_a_reason() {
    let reason = Reason::parse("spam").ok();
    Given::with(())
        .given(vec![registered()])
        .when((by(ANN), UserCommand::Suspend { reason: reason.clone() }))
        .then_expect_events(vec![UserEvent::Suspended { reason }]);
}

#[test]
fn suspending_a_suspended_user_changes_nothing() {
    Given::with(())
        .given(vec![registered(), suspended()])
        .when((by(ANN), UserCommand::Suspend { reason: None }))
        .then_expect_events(vec![]);
}

#[test]
fn a_suspended_user_is_reactivated() {
    Given::with(())
        .given(vec![registered(), suspended()])
        .when((by(ANN), UserCommand::Reactivate))
        .then_expect_events(vec![UserEvent::Reactivated {}]);
}

#[test]
fn reactivating_an_active_user_changes_nothing() {
    Given::with(())
        .given(vec![registered(), suspended(), UserEvent::Reactivated {}])
        .when((by(ANN), UserCommand::Reactivate))
        .then_expect_events(vec![]);
}

#[test]
fn a_suspended_operator_does_not_run_the_server() {
    let mut user = User::default();
    assert!(!user.is_active() && !user.is_operator());
    cqrs_es::Aggregate::apply(&mut user, registered());
    assert!(user.is_active() && user.is_operator());
    cqrs_es::Aggregate::apply(&mut user, suspended());
    assert!(!user.is_active() && !user.is_operator());
}

fn asked_for(wait_minutes: i64) -> UserEvent {
    UserEvent::ErasureRequested { requested_by: ANN, due_at: minutes_later(wait_minutes) }
}

fn erased() -> UserEvent {
    UserEvent::Erased { invitations: Vec::new() }
}

#[test]
fn an_erasure_is_asked_for_once_and_can_be_cancelled() {
    let ask = || UserCommand::RequestErasure { wait: TimeDelta::minutes(60) };
    Given::with(()).given(vec![registered()]).when((by(ANN), ask())).then_expect_events(vec![asked_for(60)]);
    let given = || Given::with(()).given(vec![registered(), asked_for(60)]);
    given().when((by(ANN), ask())).then_expect_events(vec![]);
    given().when((by(BOB), ask())).then_expect_error(UserRefusal::ErasureRequestedAlready);
    let cancelled = UserEvent::ErasureCancelled { cancelled_by: ANN };
    given().when((by(ANN), UserCommand::CancelErasure)).then_expect_events(vec![cancelled.clone()]);
    let given = || Given::with(()).given(vec![registered(), asked_for(60), cancelled.clone()]);
    given().when((by(ANN), UserCommand::CancelErasure)).then_expect_events(vec![]);
    given().when((by(ANN), ask())).then_expect_events(vec![asked_for(60)]);
}

#[test]
fn nobody_is_erased_before_it_is_due_and_a_suspended_user_is() {
    let erase = || UserCommand::Erase { invitations: Vec::new() };
    Given::with(()).given(vec![registered()]).when((by(ANN), erase())).then_expect_error(UserRefusal::ErasureNotRequested);
    let given = || Given::with(()).given(vec![registered(), suspended(), asked_for(60)]);
    given().when((by_at(ANN, minutes_later(59)), erase())).then_expect_error(UserRefusal::ErasureNotDue);
    given().when((by_at(ANN, minutes_later(60)), erase())).then_expect_events(vec![erased()]);
}

#[test]
fn every_command_to_an_erased_user_is_refused_and_no_name_is_left() {
    let commands = [
        UserCommand::ChangeProfile(profile("Ann")),
        UserCommand::Suspend { reason: None },
        UserCommand::Reactivate,
        UserCommand::CancelErasure,
        UserCommand::Erase { invitations: Vec::new() },
    ];
    // It is as requested already.
    let request = UserCommand::RequestErasure { wait: TimeDelta::zero() };
    Given::with(()).given(vec![registered(), asked_for(0), erased()]).when((by(ANN), request)).then_expect_events(vec![]);
    for command in commands {
        let given = Given::with(()).given(vec![registered(), asked_for(0), erased()]);
        given.when((by(ANN), command)).then_expect_error(UserRefusal::Erased);
    }
    let mut user = User::default();
    for event in [registered(), asked_for(0), erased()] {
        cqrs_es::Aggregate::apply(&mut user, event);
    }
    assert!(!user.is_active() && !user.is_operator() && user.erasure.is_none());
    let left = serde_json::to_string(&user).expect("JSON").to_lowercase();
    assert!(!left.contains("ann"), "{left}");
}

#[test]
fn an_active_user_becomes_an_operator_once() {
    let somebody = || UserEvent::Registered(Box::new(Registration { is_operator: false, ..*registration() }));
    let make = || (by(UserId::SYSTEM), UserCommand::MakeOperator);
    Given::with(()).given(vec![somebody()]).when(make()).then_expect_events(vec![UserEvent::MadeOperator {}]);
    Given::with(()).given(vec![somebody(), UserEvent::MadeOperator {}]).when(make()).then_expect_events(vec![]);
    Given::with(()).given(vec![somebody(), suspended()]).when(make()).then_expect_error(UserRefusal::Suspended);
    Given::with(()).given(vec![somebody(), asked_for(0), erased()]).when(make()).then_expect_error(UserRefusal::Erased);
    Given::with(()).given_no_previous_events().when(make()).then_expect_error(UserRefusal::NotFound);
}

#[test]
fn an_operator_becomes_an_ordinary_user_even_while_suspended() {
    let operator = || UserEvent::Registered(Box::new(Registration { is_operator: true, ..*registration() }));
    let remove = || (by(UserId::SYSTEM), UserCommand::RemoveOperator);
    let removed = || UserEvent::OperatorRemoved {};
    Given::with(()).given(vec![operator()]).when(remove()).then_expect_events(vec![removed()]);
    Given::with(()).given(vec![operator(), suspended()]).when(remove()).then_expect_events(vec![removed()]);
    Given::with(()).given(vec![operator(), removed()]).when(remove()).then_expect_events(vec![]);
    Given::with(()).given_no_previous_events().when(remove()).then_expect_error(UserRefusal::NotFound);
    let mut user = User::default();
    for event in [operator(), removed()] {
        cqrs_es::Aggregate::apply(&mut user, event);
    }
    assert!(user.is_active() && !user.is_operator());
}

#[test]
fn a_password_is_reset_as_often_as_needed_but_not_of_an_erased_user() {
    let reset = || (by(UserId::SYSTEM), UserCommand::ResetPassword);
    let done = || UserEvent::PasswordReset {};
    Given::with(()).given(vec![registered(), done()]).when(reset()).then_expect_events(vec![done()]);
    Given::with(()).given(vec![registered(), suspended()]).when(reset()).then_expect_events(vec![done()]);
    Given::with(()).given(vec![registered(), asked_for(0), erased()]).when(reset()).then_expect_error(UserRefusal::Erased);
    Given::with(()).given_no_previous_events().when(reset()).then_expect_error(UserRefusal::NotFound);
}

#[test]
fn owners_of_several_workspaces_propose_an_erasure_and_it_has_no_effect() {
    let propose = |workspace_id| UserCommand::ProposeErasure { workspace_id };
    let proposed = |workspace_id| UserEvent::ErasureProposed { proposed_by: BOB, workspace_id };
    let other = WorkspaceId(uuid::Uuid::from_u128(0x101));
    let given = || Given::with(()).given(vec![registered(), proposed(ACME)]);
    given().when((by(BOB), propose(ACME))).then_expect_events(vec![]);
    given().when((by(BOB), propose(other))).then_expect_events(vec![proposed(other)]);
    given().when((by(UserId::SYSTEM), UserCommand::Erase { invitations: vec![] })).then_expect_error(UserRefusal::ErasureNotRequested);
}

#[test]
fn preferences_above_the_limit_are_refused() {
    let with = |bytes: usize| {
        let theme_preferences = json!({"x": "y".repeat(bytes)}).as_object().cloned().expect("an object");
        (by(ANN), UserCommand::ChangePreferences(Preferences { theme_preferences, ..Preferences::default() }))
    };
    let refused = UserRefusal::PreferencesTooLarge(PREFERENCES_BYTES_MAX);
    Given::with(()).given(vec![registered()]).when(with(PREFERENCES_BYTES_MAX)).then_expect_error(refused);
    let (context, command) = with(PREFERENCES_BYTES_MAX - 100);
    let mut user = User::default();
    cqrs_es::Aggregate::apply(&mut user, registered());
    assert!(user.decide(&context, command).is_ok());
}
