//! The checker can fail: each of its checks gets one correct case and one broken case.

use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use uuid::Uuid;

use super::acks::{self, Texts};
use super::authority::Authority;
use super::fold::{Fold, Table};
use super::log::{Event, Key, Log};
use super::sockets::{self, Sight};
use super::{Violation, answers, read};
use crate::load::{Followed, Seen};
use crate::record::{Attempt, Command, Effect, Expects, Outcome, Query, Taken};

const ANN: Uuid = Uuid::from_u128(1);
const WORKSPACE: Uuid = Uuid::from_u128(10);
const CHANNEL: Uuid = Uuid::from_u128(20);
const MESSAGE: Uuid = Uuid::from_u128(30);

/// Ann's workspace, her channel and her messages. Each event has a separate key.
struct Story {
    events: Vec<Event>,
    keys: Vec<Key>,
}

impl Story {
    fn new() -> Self {
        let mut story = Self { events: Vec::new(), keys: Vec::new() };
        story.add("user.registered", ANN, json!({"email": "ann@example.org", "username": "ann", "profile": {"display_name": "Ann"}}));
        story.add("workspace.created", WORKSPACE, json!({"details": {"name": "Acme"}, "general_channel_id": CHANNEL}));
        story.add("workspace.member_joined", WORKSPACE, json!({"user_id": ANN, "role": "owner"}));
        story.add("channel.created", CHANNEL, json!({"workspace_id": WORKSPACE, "kind": "public", "name": "tea", "created_by": ANN}));
        story.add("channel.member_joined", CHANNEL, json!({"user_id": ANN, "role": "admin"}));
        story
    }

    fn add(&mut self, event_type: &str, stream: Uuid, payload: Value) {
        let position = self.events.len() as i64 + 1;
        let of_stream = self.events.iter().filter(|event| event.stream == stream).count() as i64;
        self.keys.push(Key { actor: ANN, key: format!("key-{position}"), position });
        self.events.push(Event {
            position,
            aggregate_type: event_type.split('.').next().unwrap_or_default().to_owned(),
            stream,
            sequence: of_stream + 1,
            event_type: event_type.to_owned(),
            payload,
            event_id: Uuid::from_u128(1_000 + position as u128),
            workspace: Some(WORKSPACE),
            recorded_at: DateTime::UNIX_EPOCH + TimeDelta::microseconds(position),
            correlation: Uuid::from_u128(2_000 + position as u128),
            actor: ANN,
            is_import: false,
            tells_address: false,
        });
    }

    fn post(&mut self, message: Uuid, content: &str) {
        self.add("message.posted", message, json!({"channel_id": CHANNEL, "author": ANN, "content": content}));
    }

    /// The violations that the checker finds in the log, and in the permissions.
    fn judged(self) -> Vec<Violation> {
        let mut found = Vec::new();
        let (mut log, mut authority) = (Log::default(), Authority::default());
        log.extend(self.events, self.keys, &mut found);
        for event in log.since(0) {
            authority.check(event, &mut found);
        }
        found
    }

    /// The violations that the checker finds for a command.
    fn judged_with(self, command: Command) -> Vec<Violation> {
        let mut found = Vec::new();
        let (mut log, mut texts) = (Log::default(), Texts::new());
        log.extend(self.events, self.keys, &mut found);
        acks::count_texts(&mut texts, log.since(0));
        acks::check(&log, &texts, &[command], &mut found);
        found
    }
}

fn with_a_message() -> Story {
    let mut story = Story::new();
    story.post(MESSAGE, "hello");
    story
}

fn answered(status: u16, position: Option<i64>, body: Value) -> Outcome {
    Outcome::Answered { status, position, retry_after: None, problem: None, body }
}

fn refused(status: u16, code: &str) -> Outcome {
    Outcome::Answered { status, position: None, retry_after: None, problem: Some(code.to_owned()), body: json!({"code": code}) }
}

/// Ann's command to post "hello", with these outcomes.
fn posting(outcomes: &[Outcome]) -> Command {
    let attempts = outcomes.iter().map(|outcome| Attempt { known_before: 5, outcome: outcome.clone() }).collect();
    let effect = Effect { event_type: "message.posted", stream: None, fields: json!({"content": "hello", "author": ANN}) };
    let request = format!("POST /v1/channels/{CHANNEL}/messages");
    Command { key: "key-6".to_owned(), actor: ANN, request, effect: Some(effect), attempts }
}

#[track_caller]
fn shows(found: &[Violation], kind: &str) {
    assert!(found.iter().any(|violation| violation.starts_with(kind)), "{kind} in {found:?}");
}

#[test]
fn a_correct_history_has_no_violations() {
    assert_eq!(with_a_message().judged(), Vec::<Violation>::new());
    let ack = answered(201, Some(6), json!({"message_id": MESSAGE}));
    let lost = Outcome::Broken { error: String::new(), unsent: false, excused: true };
    assert_eq!(with_a_message().judged_with(posting(&[lost, refused(503, "x"), ack.clone(), ack])), Vec::<Violation>::new());
}

#[test]
fn an_acknowledged_command_without_an_event_needs_its_effect_in_the_log() {
    let joins = |user_id: Uuid| Command {
        key: "key-7".to_owned(),
        effect: Some(Effect { event_type: "channel.member_joined", stream: Some(CHANNEL), fields: json!({"user_id": user_id}) }),
        ..posting(&[answered(204, Some(6), Value::Null)])
    };
    assert_eq!(with_a_message().judged_with(joins(ANN)), Vec::<Violation>::new());
    shows(&with_a_message().judged_with(joins(CHANNEL)), "lost acknowledgement");
}

#[test]
fn an_inconsistent_log_is_reported() {
    let broken = |change: fn(&mut Story)| {
        let mut story = with_a_message();
        change(&mut story);
        story.judged()
    };
    shows(&broken(|story| drop(story.events.remove(3))), "gap in the log");
    shows(&broken(|story| story.events[4].recorded_at = story.events[3].recorded_at), "recorded_at does not increase");
    shows(&broken(|story| story.events[4].sequence = 3), "gap in a stream");
    shows(&broken(|story| story.events[4].event_id = story.events[3].event_id), "doubled event");
    shows(&broken(|story| story.events[4].tells_address = true), "address in the log");
    shows(&broken(|story| drop(story.keys.pop())), "event without a key");
    shows(&broken(|story| story.keys[5].actor = CHANNEL), "event without a key");
    shows(&broken(|story| story.keys[5].key = "key-5".to_owned()), "doubled command");
}

#[test]
fn a_command_that_ran_twice_is_reported_whether_it_was_acknowledged_or_not() {
    let twice = || {
        let mut story = with_a_message();
        story.post(Uuid::from_u128(31), "hello");
        story
    };
    shows(&twice().judged_with(posting(&[answered(201, Some(6), Value::Null)])), "not exactly once");
    shows(&twice().judged_with(posting(&[refused(503, "x")])), "not exactly once");
}

#[test]
fn an_acknowledgement_that_is_not_in_the_log_is_reported() {
    let ack = || posting(&[answered(201, Some(6), json!({"message_id": MESSAGE}))]);
    shows(&Story::new().judged_with(ack()), "lost acknowledgement");
    let mut without_the_key = with_a_message();
    without_the_key.keys.pop();
    shows(&without_the_key.judged_with(ack()), "lost acknowledgement");
    let mut of_another = with_a_message();
    of_another.keys[5].actor = CHANNEL;
    shows(&of_another.judged_with(ack()), "lost acknowledgement");
    let mut elsewhere = with_a_message();
    elsewhere.keys[5].position = 5;
    shows(&elsewhere.judged_with(ack()), "acknowledged elsewhere");
    let mut with_another_text = Story::new();
    with_another_text.post(MESSAGE, "goodbye");
    shows(&with_another_text.judged_with(ack()), "acknowledged, and not done");
}

#[test]
fn answers_that_contradict_each_other_or_the_log_are_reported() {
    let (one, other) = (answered(201, Some(6), json!({"message_id": MESSAGE})), answered(201, Some(6), json!({"message_id": CHANNEL})));
    shows(&with_a_message().judged_with(posting(&[one.clone(), other])), "two answers to one key");
    // An acknowledgement without a row agrees with every answer that names the same.
    let without_row = |body: Value| answered(202, Some(6), body);
    for body in [json!(""), json!({"message_id": MESSAGE})] {
        assert_eq!(with_a_message().judged_with(posting(&[without_row(body), one.clone()])), Vec::<Violation>::new());
    }
    let of_another = without_row(json!({"message_id": CHANNEL}));
    shows(&with_a_message().judged_with(posting(&[of_another, one.clone()])), "two answers to one key");
    shows(&with_a_message().judged_with(posting(&[one.clone(), refused(403, "x")])), "refused after it was done");
    shows(&with_a_message().judged_with(posting(&[refused(403, "x")])), "refused, and done");
    // The first attempt may still have run when the second was refused, unless a client had already read its message.
    let lost = Outcome::Broken { error: String::new(), unsent: false, excused: true };
    assert_eq!(with_a_message().judged_with(posting(&[lost.clone(), refused(403, "x")])), Vec::<Violation>::new());
    let mut known = posting(&[lost, refused(403, "x")]);
    known.attempts[1].known_before = 6;
    shows(&with_a_message().judged_with(known), "refused, and done");
}

#[test]
fn a_message_after_its_authors_removal_is_reported() {
    let after = |event_type: &str, stream: Uuid| {
        let mut story = with_a_message();
        story.add(event_type, stream, json!({"user_id": ANN}));
        story.post(Uuid::from_u128(31), "still here");
        story.judged()
    };
    for (event_type, stream) in [
        ("channel.member_removed", CHANNEL),
        ("channel.member_left", CHANNEL),
        ("channel.archived", CHANNEL),
        ("workspace.member_deactivated", WORKSPACE),
        ("user.suspended", ANN),
    ] {
        shows(&after(event_type, stream), "heard after a removal");
    }
    let mut reaction = with_a_message();
    reaction.add("channel.member_removed", CHANNEL, json!({"user_id": ANN}));
    reaction.add("message.reacted", MESSAGE, json!({"user_id": ANN, "emoji": "👍"}));
    shows(&reaction.judged(), "heard after a removal");
    let mut readmitted = with_a_message();
    readmitted.add("channel.member_removed", CHANNEL, json!({"user_id": ANN}));
    readmitted.add("channel.member_joined", CHANNEL, json!({"user_id": ANN}));
    readmitted.post(Uuid::from_u128(31), "here again");
    assert_eq!(readmitted.judged(), Vec::<Violation>::new());
}

#[test]
fn invalid_answers_are_reported() {
    let judged = |outcome: Outcome| {
        let mut found = Vec::new();
        answers::check(&Taken { commands: vec![posting(&[outcome])], queries: Vec::new(), ..Taken::default() }, &mut found);
        found
    };
    let busy = Outcome::Answered { status: 503, position: None, retry_after: Some(1), problem: Some("x".to_owned()), body: Value::Null };
    for fine in [busy, refused(404, "x"), answered(204, Some(6), Value::Null)] {
        assert_eq!(judged(fine), Vec::<Violation>::new());
    }
    shows(&judged(refused(503, "x")), "503 that is not clear");
    for wrong in [answered(500, None, Value::Null), refused(500, "x"), refused(401, "x"), answered(404, None, Value::Null)] {
        shows(&judged(wrong), "wrong answer");
    }
    shows(&judged(refused(422, "idempotency.key_reused")), "wrong answer");
    let broken = |excused| Outcome::Broken { error: String::new(), unsent: false, excused };
    shows(&judged(broken(false)), "no answer, and the server was there");
    assert_eq!(judged(broken(true)), Vec::<Violation>::new());
}

#[test]
fn a_query_result_with_missing_or_extra_rows_is_reported() {
    let judged = |expects: Expects, outcome: Outcome| {
        let query = Query { request: "GET /".to_owned(), min_position: Some(6), expects, outcome };
        let mut found = Vec::new();
        answers::check(&Taken { commands: Vec::new(), queries: vec![query], ..Taken::default() }, &mut found);
        found
    };
    let own = || Expects::Message { id: MESSAGE, content: "hello".to_owned() };
    let message = |content: &str| json!({"message_id": MESSAGE, "content": content});
    assert_eq!(judged(own(), answered(200, Some(6), message("hello"))), Vec::<Violation>::new());
    shows(&judged(own(), answered(200, Some(6), message("hell"))), "own write not seen");
    shows(&judged(own(), answered(200, Some(5), message("hello"))), "own write not seen");
    shows(&judged(own(), refused(404, "x")), "own write not seen");
    assert_eq!(judged(Expects::Refusal, refused(404, "x")), Vec::<Violation>::new());
    shows(&judged(Expects::Refusal, answered(200, Some(6), json!({"items": []}))), "heard after a removal");
    let found = |messages: &[Value]| json!({"items": messages.iter().map(|message| json!({"message": message})).collect::<Vec<_>>()});
    let sought = || Expects::Found { id: MESSAGE, content: "hello".to_owned() };
    assert_eq!(judged(sought(), answered(200, Some(6), found(&[message("hello")]))), Vec::<Violation>::new());
    for wrong in [found(&[]), found(&[message("hell")]), found(&[message("hello"), message("hello")]), json!({})] {
        shows(&judged(sought(), answered(200, Some(6), wrong)), "own write not found");
    }
    shows(&judged(sought(), answered(200, Some(5), found(&[message("hello")]))), "own write not found");
    let on_page = || Expects::OnPage { id: MESSAGE };
    let page = |messages: &[Value]| json!({"items": messages});
    assert_eq!(judged(on_page(), answered(200, Some(6), page(&[message("hello")]))), Vec::<Violation>::new());
    let newer = |n: i64| json!({"message_id": Uuid::nil(), "created_at": DateTime::from_timestamp(n, 0)});
    let older = json!({"message_id": Uuid::nil(), "created_at": "1969-12-31T23:59:59Z"});
    assert_eq!(judged(on_page(), answered(200, Some(6), page(&(1..=100).map(newer).collect::<Vec<_>>()))), Vec::<Violation>::new());
    for wrong in [page(&[]), page(&[newer(1)]), page(&vec![older; 100]), json!({})] {
        shows(&judged(on_page(), answered(200, Some(6), wrong)), "own write not on the page");
    }
    let nothing = || Expects::NothingIn { channel: CHANNEL };
    assert_eq!(judged(nothing(), answered(200, Some(6), found(&[json!({"channel_id": WORKSPACE})]))), Vec::<Violation>::new());
    shows(&judged(nothing(), answered(200, Some(6), found(&[json!({"channel_id": CHANNEL})]))), "found after a removal");
    shows(&judged(nothing(), refused(404, "x")), "found after a removal");
}

#[test]
fn a_row_that_differs_from_the_log_is_reported() {
    let mut story = with_a_message();
    story.add("message.posted", Uuid::from_u128(31), json!({"channel_id": CHANNEL, "author": ANN, "content": "re", "thread_id": MESSAGE}));
    story.add("message.edited", MESSAGE, json!({"content": "hello!", "by": ANN}));
    story.add("message.reacted", MESSAGE, json!({"user_id": ANN, "emoji": "👍"}));
    let (mut fold, mut found) = (Fold::default(), Vec::new());
    story.events.iter().for_each(|event| fold.apply(event, &mut found));
    let name = (Table::Messages, MESSAGE, Uuid::nil());
    let row = Value::Object(fold.rows.get(&name).cloned().unwrap_or_default());
    let parts = |row: &Value| (row["content"].clone(), row["reply_count"].clone(), row["reactions"].clone(), row["earlier"].clone());
    assert_eq!(parts(&row), (json!("hello!"), json!(1), json!([{"emoji": "👍", "count": 1, "users": [ANN]}]), json!(["hello"])));

    read::compare(name, fold.rows.get(&name), Some(&row), &mut found);
    assert_eq!(found, Vec::<Violation>::new());
    for (column, value) in [("content", json!("hello")), ("reply_count", json!(2)), ("reactions", json!([])), ("is_deleted", json!(true))] {
        let (mut found, mut wrong) = (Vec::new(), row.clone());
        wrong[column] = value;
        read::compare(name, fold.rows.get(&name), Some(&wrong), &mut found);
        shows(&found, "read model differs");
    }
    read::compare(name, fold.rows.get(&name), None, &mut found);
    shows(&found, "read model lacks a row");
}

#[test]
fn an_event_about_a_missing_row_is_reported() {
    let mut story = Story::new();
    story.add("message.edited", MESSAGE, json!({"content": "hello!", "by": ANN}));
    let (mut fold, mut found) = (Fold::default(), Vec::new());
    story.events.iter().for_each(|event| fold.apply(event, &mut found));
    shows(&found, "event about nothing");
}

/// A private channel with a message, from which Bob is removed before a second message.
fn with_a_removal() -> (Log, Sight) {
    let (bob, private) = (Uuid::from_u128(2), Uuid::from_u128(21));
    let mut story = with_a_message();
    story.add("workspace.member_joined", WORKSPACE, json!({"user_id": bob, "role": "member"}));
    story.add("channel.created", private, json!({"workspace_id": WORKSPACE, "kind": "private", "name": "den", "created_by": ANN}));
    story.add("channel.member_joined", private, json!({"user_id": bob}));
    story.add("message.posted", Uuid::from_u128(32), json!({"channel_id": private, "author": ANN, "content": "one"}));
    story.add("channel.member_removed", private, json!({"user_id": bob}));
    story.add("message.posted", Uuid::from_u128(33), json!({"channel_id": private, "author": ANN, "content": "two"}));
    story.post(Uuid::from_u128(34), "bye");
    let (mut log, mut sight) = (Log::default(), Sight::default());
    log.extend(story.events, story.keys, &mut Vec::new());
    log.since(0).iter().for_each(|event| sight.apply(event));
    (log, sight)
}

/// Judges what Bob got over sockets: these positions, over a connection that was opened when the log ended at
/// `known_before`.
fn judged_sockets(positions: &[i64], known_before: i64) -> Vec<Violation> {
    let (log, sight) = with_a_removal();
    let event = |position: i64| log.since(position - 1).first().map(|event| event.event_type.clone()).unwrap_or_default();
    let seen = positions.iter().map(|position| Seen { position: *position, event: event(*position), known_before });
    let followed = Followed { user: Uuid::from_u128(2), begin: Some(7), seen: seen.collect(), ..Followed::default() };
    let mut found = Vec::new();
    sockets::check(&log, &sight, 0, &[followed], &mut found);
    found
}

#[test]
fn what_comes_over_a_socket_is_what_its_user_may_see_once_and_in_order() {
    assert_eq!(judged_sockets(&[9, 10, 11, 13], 7), Vec::<Violation>::new());
    // A user who comes back after the removal gets only the removal.
    assert_eq!(judged_sockets(&[11, 13], 13), Vec::<Violation>::new());
    shows(&judged_sockets(&[9, 10, 11, 13], 11), "forbidden over a socket");
    shows(&judged_sockets(&[11, 12, 13], 7), "forbidden over a socket");
    shows(&judged_sockets(&[9, 10, 11], 7), "missing over a socket");
    shows(&judged_sockets(&[9, 11, 10, 13], 7), "twice or out of order over a socket");
    shows(&judged_sockets(&[13, 13], 7), "twice or out of order over a socket");
    shows(&judged_sockets(&[13, 14], 7), "not in the log, and over a socket");
}
