//! A walk: random commands in sequence, with checks that every aggregate must pass after each step.

use std::fmt::Debug;
use std::pin::pin;
use std::task::{Context as Waking, Poll, Waker};

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use domain::Context;
use domain::ids::UserId;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// The most commands in a walk.
pub const STEPS_MAX: usize = 60;
/// The number of people.
pub const PEOPLE: u128 = 5;

/// One of the people.
pub fn person() -> impl Strategy<Value = UserId> {
    (1..=PEOPLE).prop_map(user)
}

/// The person with this number.
pub fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

/// The moment that every walk begins at.
pub fn beginning() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().expect("a time")
}

/// Commands by random people, each up to ten days after the one before.
pub fn asked<C: Debug + Clone + 'static>(command: impl Strategy<Value = C> + 'static) -> impl Strategy<Value = Vec<(Context, C)>> {
    let step = (person(), 0_i64..14_400, command);
    prop::collection::vec(step, 0..STEPS_MAX).prop_map(|steps| {
        let mut at = beginning();
        let mut asked = |(actor, minutes, command)| {
            at += TimeDelta::minutes(minutes);
            (Context::of(actor, at, Uuid::nil()), command)
        };
        steps.into_iter().map(&mut asked).collect()
    })
}

/// One step of a walk.
pub struct Step<A, C> {
    /// The actor and the time.
    pub context: Context,
    /// The command.
    pub command: C,
    /// The state before the command.
    pub before: A,
    /// The state after the command.
    pub after: A,
}

/// Starts from the empty state, and calls `holds` after every step. If the aggregate has snapshots, one is taken before
/// the step `snapshot_at`.
pub fn walk<A, C>(
    asked: Vec<(Context, C)>,
    snapshot_at: Option<usize>,
    services: impl Fn(&Context, &C) -> A::Services,
    decide: impl Fn(&A, &A::Services, &Context, C) -> Result<Vec<A::Event>, A::Error>,
    holds: impl Fn(&Step<A, C>) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError>
where
    A: Aggregate<Command = (Context, C)> + Clone + Debug + PartialEq + Serialize + DeserializeOwned,
    A::Event: Serialize + DeserializeOwned,
    A::Error: PartialEq,
    C: Clone + Debug,
{
    let (mut state, mut snapshot, mut history) = (A::default(), None::<A>, Vec::new());
    for (index, (context, command)) in asked.into_iter().enumerate() {
        if Some(index) == snapshot_at {
            snapshot = Some(through_json(&state));
        }
        let services = services(&context, &command);
        let decided = decide(&state, &services, &context, command.clone());
        let (handled, after) = handle(state.clone(), &services, &context, command.clone());
        prop_assert_eq!(&decided, &handled, "decide and handle disagree on {:?}", &command);
        let events = decided.unwrap_or_default();
        let before = state.clone();
        for event in events {
            let read_back: A::Event = through_json(&event);
            prop_assert_eq!(&read_back, &event);
            state.apply(event);
            if let Some(snapshot) = &mut snapshot {
                snapshot.apply(read_back.clone());
            }
            history.push(read_back);
        }
        prop_assert_eq!(&after, &state, "what handle left is not the fold, after {:?}", &command);
        holds(&Step { context, command, before, after })?;
    }
    prop_assert_eq!(&fold::<A>(history), &state, "what was read back folds to something else");
    if snapshot_at.is_some() {
        prop_assert_eq!(&snapshot.unwrap_or_else(|| through_json(&state)), &state, "snapshot and fold differ");
    }
    Ok(())
}

fn fold<A: Aggregate>(history: Vec<A::Event>) -> A {
    let mut state = A::default();
    history.into_iter().for_each(|event| state.apply(event));
    state
}

fn through_json<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let json = serde_json::to_string(value).expect("JSON");
    serde_json::from_str(&json).expect("what was written")
}

type Handled<A> = Result<Vec<<A as Aggregate>::Event>, <A as Aggregate>::Error>;

fn handle<A, C>(mut state: A, services: &A::Services, context: &Context, command: C) -> (Handled<A>, A)
where
    A: Aggregate<Command = (Context, C)>,
{
    let sink = EventSink::default();
    let result = at_once(state.handle((context.clone(), command), services, &sink));
    (result.map(|()| at_once(sink.collect())), state)
}

/// The output of a future that never waits.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Waking::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a pure decision waited for something"),
    }
}
