//! The rule of which messages the retention policy removes.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::*;
use crate::channel::{Channel, ChannelEvent, ChannelSettings, Creation, Kind};
use crate::formatting::FormattedContent;
use crate::ids::{HoldId, RetentionId, UserId};
use crate::message::{Message, MessageEvent, Moment, Posting};
use crate::test_data::{ACME, ANN, BOB, GENERAL, by, days_later, now};
use crate::text::{ChannelName, MessageBody, Reason, WorkspaceName};
use crate::workspace::{Details, HoldTarget, Workspace, WorkspaceEvent, WorkspaceSettings};

const HOLD: HoldId = HoldId(Uuid::from_u128(0x500));

/// A message that was sent some days ago.
struct Old {
    id: MessageId,
    message: Arc<Message>,
}

fn old(n: u128, days: i64, author: UserId, thread_id: Option<MessageId>, more: Vec<MessageEvent>) -> Old {
    let id = MessageId(Uuid::from_u128(n));
    let posting = Posting {
        workspace_id: ACME,
        channel_id: GENERAL,
        author,
        kind: crate::message::Kind::Text,
        content: MessageBody::parse("hello").expect("a text"),
        formatted: FormattedContent::default(),
        thread_id,
        client_msg_id: None,
        sent_at: days_later(-days),
        moment: Moment::Recorded,
        edited_at: None,
        erased: false,
    };
    let mut message = Message::default();
    std::iter::once(MessageEvent::Posted(Box::new(posting))).chain(more).for_each(|event| message.apply(event));
    Old { id, message: Arc::new(message) }
}

fn workspace(policy: Option<RetentionPolicy>, hold: Option<HoldTarget>) -> Arc<Workspace> {
    let details = Details { name: WorkspaceName::parse("Acme").expect("a name"), description: None, avatar_url: None };
    let mut workspace = Workspace::default();
    workspace.apply(WorkspaceEvent::Created { details, domain: None, general_channel_id: GENERAL, max_members: 10 });
    workspace.apply(WorkspaceEvent::SettingsChanged(WorkspaceSettings { retention_policy: policy, ..WorkspaceSettings::default() }));
    if let Some(on) = hold {
        let reason = Reason::parse("a case").expect("a reason");
        workspace.apply(WorkspaceEvent::HoldPlaced { hold_id: HOLD, on, reason, placed_by: ANN });
    }
    Arc::new(workspace)
}

fn channel(policy: Option<RetentionPolicy>) -> Arc<Channel> {
    let creation = Creation {
        workspace_id: ACME,
        kind: Kind::Public,
        name: ChannelName::parse("general").ok(),
        display_name: None,
        description: None,
        topic: None,
        purpose: None,
        is_general: true,
        created_by: ANN,
    };
    let mut channel = Channel::default();
    channel.apply(ChannelEvent::Created(Box::new(creation)));
    channel.apply(ChannelEvent::SettingsChanged(ChannelSettings { retention_policy: policy, ..ChannelSettings::default() }));
    Arc::new(channel)
}

/// The identifiers of the removed messages. The policy is 30 days unless the test says otherwise.
fn leaving(related: &RelatedAggregates, threads: Vec<Vec<MessageId>>) -> Result<Vec<u128>, RetentionRefusal> {
    let cut_at = days_later(-30);
    let left = cut(related, &by(ANN), &RetentionCandidates { channel_id: GENERAL, cut_off: cut_at, threads })?;
    let mut ids = left.into_values().flat_map(|application| application.messages).map(|id| id.0.as_u128()).collect::<Vec<_>>();
    ids.sort_unstable();
    Ok(ids)
}

fn related(policy: RetentionPolicy, hold: Option<HoldTarget>, messages: &[Old]) -> RelatedAggregates {
    let messages = messages.iter().map(|old| (old.id, Arc::clone(&old.message))).collect();
    RelatedAggregates { workspace: workspace(Some(policy), hold), channel: channel(None), messages }
}

fn alone(messages: &[Old]) -> Vec<Vec<MessageId>> {
    messages.iter().map(|old| vec![old.id]).collect()
}

#[test]
fn messages_older_than_the_policy_are_removed_and_younger_ones_stay() {
    let messages = [old(1, 31, ANN, None, vec![]), old(2, 29, ANN, None, vec![]), old(3, 30, ANN, None, vec![])];
    let related = related(RetentionPolicy::days(30), None, &messages);
    assert_eq!(leaving(&related, alone(&messages)), Ok(vec![1]), "at the cut-off to the microsecond is not before it");
}

#[test]
fn a_thread_is_removed_as_a_whole_when_its_youngest_message_is_old_enough() {
    let root = MessageId(Uuid::from_u128(1));
    let threads = vec![vec![root, MessageId(Uuid::from_u128(2))]];
    for (answered, left) in [(31, vec![1, 2]), (29, vec![])] {
        let messages = [old(1, 90, ANN, None, vec![]), old(2, answered, BOB, Some(root), vec![])];
        assert_eq!(leaving(&related(RetentionPolicy::days(30), None, &messages), threads.clone()), Ok(left));
    }
}

#[test]
fn pinned_messages_stay_with_their_threads_if_the_policy_keeps_them() {
    let root = MessageId(Uuid::from_u128(1));
    let messages = [old(1, 90, ANN, None, vec![]), old(2, 80, BOB, Some(root), vec![MessageEvent::Pinned { by: ANN }])];
    let threads = vec![vec![messages[0].id, messages[1].id]];
    let policy = |keep_pinned| RetentionPolicy { keep_pinned, ..RetentionPolicy::days(30) };
    assert_eq!(leaving(&related(policy(true), None, &messages), threads.clone()), Ok(vec![]));
    assert_eq!(leaving(&related(policy(false), None, &messages), threads), Ok(vec![1, 2]));
}

#[test]
fn a_hold_on_the_channel_keeps_all_messages_and_one_on_a_user_keeps_their_threads() {
    let messages = [old(1, 90, ANN, None, vec![]), old(2, 90, BOB, None, vec![])];
    let held = |on| leaving(&related(RetentionPolicy::days(30), Some(on), &messages), alone(&messages));
    assert_eq!(held(HoldTarget::Workspace {}), Err(RetentionRefusal::Held(HOLD)));
    assert_eq!(held(HoldTarget::Channel { channel_id: GENERAL }), Err(RetentionRefusal::Held(HOLD)));
    assert_eq!(held(HoldTarget::Person { user_id: BOB }), Ok(vec![1]));
}

#[test]
fn without_a_policy_everything_is_kept_for_ever() {
    let messages = [old(1, 9_000, ANN, None, vec![])];
    let related = related(RetentionPolicy::default(), None, &messages);
    assert_eq!(leaving(&related, alone(&messages)), Err(RetentionRefusal::KeptForEver));
}

#[test]
fn the_channels_policy_wins_over_the_workspaces_in_both_directions() {
    let days = RetentionPolicy::days;
    assert_eq!(policy_of(Some(days(30)), None), days(30));
    assert_eq!(policy_of(Some(days(30)), Some(days(7))), days(7));
    assert_eq!(policy_of(Some(days(30)), Some(RetentionPolicy::default())).cut_off(now()), None);
    assert_eq!(policy_of(None, None).cut_off(now()), None);
}

#[test]
fn a_cut_off_beyond_the_policy_is_refused() {
    let messages = [old(1, 31, ANN, None, vec![])];
    let related = related(RetentionPolicy::days(60), None, &messages);
    assert_eq!(leaving(&related, alone(&messages)), Err(RetentionRefusal::CutOffTooLate));
}

#[test]
fn an_unknown_message_or_one_outside_the_thread_is_not_removed() {
    let messages = [old(1, 90, ANN, None, vec![]), old(2, 90, ANN, None, vec![])];
    let related = related(RetentionPolicy::days(30), None, &messages);
    assert_eq!(leaving(&related, vec![vec![MessageId(Uuid::from_u128(9))], vec![]]), Ok(vec![]));
    assert_eq!(leaving(&related, vec![vec![messages[0].id, messages[1].id]]), Ok(vec![]));
}

fn application(action: RetentionAction, messages: &[u128]) -> Application {
    let cut_off: DateTime<Utc> = days_later(-30);
    let messages = messages.iter().map(|n| MessageId(Uuid::from_u128(*n))).collect();
    Application { channel_id: GENERAL, action, cut_off, days: 30, keep_pinned: true, messages }
}

fn applied(action: RetentionAction, messages: &[u128]) -> RetentionEvent {
    RetentionEvent::Applied(Box::new(application(action, messages)))
}

#[test]
fn a_removed_message_is_not_named_again_unless_it_is_purged_now() {
    use RetentionAction::{Archive, Purge};
    let given = || TestFramework::<Retention>::with(()).given(vec![applied(Archive, &[1, 2])]);
    given().when((by(ANN), application(Archive, &[2, 3]))).then_expect_events(vec![applied(Archive, &[3])]);
    given().when((by(ANN), application(Archive, &[1, 2]))).then_expect_events(vec![]);
    given().when((by(ANN), application(Purge, &[2, 3]))).then_expect_events(vec![applied(Purge, &[2, 3])]);
    let purged = TestFramework::<Retention>::with(()).given(vec![applied(Purge, &[1])]);
    purged.when((by(ANN), application(Archive, &[1]))).then_expect_events(vec![]);
}

#[test]
fn each_month_of_a_channel_has_a_stream_of_its_own() {
    let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
    let january = RetentionId::of(GENERAL, at("2026-01-01T00:00:00Z"));
    assert_eq!(january, RetentionId::of(GENERAL, at("2026-01-31T23:59:59Z")));
    assert_ne!(january, RetentionId::of(GENERAL, at("2026-02-01T00:00:00Z")));
    assert_ne!(january, RetentionId::of(GENERAL, at("2025-01-01T00:00:00Z")));
}
