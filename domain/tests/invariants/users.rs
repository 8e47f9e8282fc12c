//! The invariants of a user.

use chrono::TimeDelta;
use domain::ids::WorkspaceId;
use domain::text::{DisplayName, Email, Language, Reason, StatusText, Username};
use domain::user::{Preferences, Profile, Registration};
use domain::{User, UserCommand};
use proptest::prelude::*;
use uuid::Uuid;

use crate::walk::{Step, asked, beginning, walk};

fn profile() -> impl Strategy<Value = Profile> {
    "[A-Z][a-z]{0,2}".prop_map(|name| Profile {
        display_name: DisplayName::parse(&name).expect("a name"),
        avatar_url: None,
        title: None,
        phone: None,
        bio: None,
        pronouns: None,
    })
}

fn preferences() -> impl Strategy<Value = Preferences> {
    prop::option::of("[a-c]{2}")
        .prop_map(|language| Preferences { language: language.and_then(|l| Language::parse(&l).ok()), ..Preferences::default() })
}

fn registration() -> impl Strategy<Value = Registration> {
    (profile(), preferences(), any::<bool>(), any::<bool>()).prop_map(|(profile, preferences, is_bot, is_operator)| Registration {
        email: Email::parse("ann@example.org").expect("an address"),
        username: Username::parse("ann").expect("a name"),
        profile,
        preferences,
        is_bot,
        is_operator,
    })
}

fn command() -> impl Strategy<Value = UserCommand> {
    prop_oneof![
        registration().prop_map(|r| UserCommand::Register(Box::new(r))),
        profile().prop_map(|p| UserCommand::ChangeProfile(Box::new(p))),
        preferences().prop_map(UserCommand::ChangePreferences),
        prop::option::of(0_i64..300_000).prop_map(|minutes| UserCommand::ChangeStatus {
            text: StatusText::parse("at lunch").ok(),
            emoji: None,
            expires_at: minutes.map(|m| beginning() + TimeDelta::minutes(m)),
        }),
        any::<bool>().prop_map(|said| UserCommand::Suspend { reason: said.then(|| Reason::parse("spam").expect("a reason")) }),
        Just(UserCommand::Reactivate),
        Just(UserCommand::MakeOperator),
        Just(UserCommand::RemoveOperator),
        Just(UserCommand::ResetPassword),
        (1_u128..3).prop_map(|n| UserCommand::ProposeErasure { workspace_id: WorkspaceId(Uuid::from_u128(n)) }),
        (0_i64..30).prop_map(|minutes| UserCommand::RequestErasure { wait: TimeDelta::minutes(minutes) }),
        Just(UserCommand::CancelErasure),
        Just(UserCommand::Erase { invitations: Vec::new() }),
    ]
}

fn holds(step: &Step<User, UserCommand>) -> Result<(), TestCaseError> {
    let Step { before, after, command, .. } = step;
    if after.registration.is_none() {
        prop_assert_eq!(after, &User::default());
    }
    if before.erased {
        prop_assert_eq!(before, after);
    }
    if let Some(was) = before.registration.as_ref().filter(|_| !after.erased) {
        let is = after.registration.as_ref().expect("a registered user stays one");
        prop_assert_eq!((&was.email, &was.username), (&is.email, &is.username));
        let is_made = matches!(command, UserCommand::MakeOperator) && !before.suspended;
        let is_removed = matches!(command, UserCommand::RemoveOperator);
        prop_assert_eq!(is.is_operator, (was.is_operator || is_made) && !is_removed);
    }
    let may_change = match command {
        UserCommand::Reactivate
        | UserCommand::RemoveOperator
        | UserCommand::ResetPassword
        | UserCommand::ProposeErasure { .. }
        | UserCommand::RequestErasure { .. }
        | UserCommand::CancelErasure
        | UserCommand::Erase { .. } => true,
        UserCommand::Register(_)
        | UserCommand::ChangeProfile(_)
        | UserCommand::ChangePreferences(_)
        | UserCommand::ChangeStatus { .. }
        | UserCommand::MakeOperator
        | UserCommand::Suspend { .. } => false,
    };
    if before.suspended && !may_change {
        prop_assert_eq!(before, after);
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_user_registers_once_and_changes_nothing_while_suspended(asked in asked(command()), snapshot_at in 0_usize..60) {
        walk(asked, Some(snapshot_at), |_, _| (), |user: &User, (), context, command| user.decide(context, command), holds)?;
    }
}
