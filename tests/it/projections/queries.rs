//! The queries: pages, cursors, and filters.

use domain::MessageCommand;
use domain::channel::Kind;
use ledger::audit::{AuditLog, Filter, Order, TextAccess};
use projections::ReadModels;
use projections::relational::channels::ChannelFilter;
use projections::relational::messages::{HistoryPage, MessageRow};

use super::{Fixture, team_of_three};
use crate::support::asked;

fn texts(rows: &[MessageRow]) -> Vec<&str> {
    rows.iter().filter(|row| row.message_type == "text").map(|row| row.content.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_paged_in_both_directions_and_around_a_message() {
    let fixture = Fixture::start().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    let channel = team.channel(fixture.commands(), "apples", Kind::Public, &[ann]).await;
    let mut messages = Vec::new();
    for n in 0..9 {
        messages.push(fixture.post(ann, channel, &n.to_string()).await);
    }
    fixture.settle().await;
    let read = &fixture.reading.read;
    let page = async |page, limit| read.history(channel, page, limit).await.expect("a page");

    let latest = page(HistoryPage::Latest, 3).await;
    assert_eq!(texts(&latest), ["6", "7", "8"]);
    assert_eq!((latest[0].display_name.as_deref(), latest[0].username.as_deref()), (Some("ann"), Some("ann")));
    let before = page(HistoryPage::Before(latest[0].cursor()), 3).await;
    assert_eq!(texts(&before), ["3", "4", "5"]);
    let after = page(HistoryPage::After(before[2].cursor()), 2).await;
    assert_eq!(texts(&after), ["6", "7"]);
    let around = page(HistoryPage::Around(messages[4]), 5).await;
    assert_eq!(texts(&around), ["2", "3", "4", "5", "6"]);
    assert!(page(HistoryPage::After(latest[2].cursor()), 3).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_has_no_answers_and_shows_deleted_messages_only_if_they_have_answers() {
    let fixture = Fixture::start().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    let root = fixture.post(ann, team.general, "root").await;
    let lonely = fixture.post(ann, team.general, "lonely").await;
    let answer = fixture.reply(team.owner, team.general, root, "answer").await;
    let gone = fixture.reply(team.owner, team.general, root, "gone").await;
    for (author, message) in [(ann, root), (ann, lonely), (team.owner, gone)] {
        fixture.message_is_asked(author, message, MessageCommand::Delete).await;
    }
    fixture.settle().await;
    let history = fixture.reading.read.history(team.general, HistoryPage::Latest, 50).await.expect("a page");
    let of_people = history.iter().filter(|m| m.message_type == "text").map(|m| (m.message_id, m.is_deleted, m.reply_count));
    assert_eq!(of_people.collect::<Vec<_>>(), [(root.0, true, 1)]);
    let thread = fixture.reading.read.thread(root, HistoryPage::Latest, 50).await.expect("a thread").expect("a root");
    assert_eq!((thread.root.content.as_str(), thread.replies.iter().map(|m| m.message_id).collect::<Vec<_>>()), ("", vec![answer.0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_is_paged_like_a_history() {
    let fixture = Fixture::start().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    let root = fixture.post(ann, team.general, "root").await;
    let mut answers = Vec::new();
    for n in 0..5 {
        answers.push(fixture.reply(ann, team.general, root, &n.to_string()).await);
    }
    fixture.settle().await;
    let read = &fixture.reading.read;
    let page = async |page, limit| read.thread(root, page, limit).await.expect("a page").expect("a thread").replies;
    let latest = page(HistoryPage::Latest, 2).await;
    assert_eq!(texts(&latest), ["3", "4"]);
    assert_eq!(texts(&page(HistoryPage::Before(latest[0].cursor()), 2).await), ["1", "2"]);
    assert_eq!(texts(&page(HistoryPage::After(latest[0].cursor()), 2).await), ["4"]);
    assert_eq!(texts(&page(HistoryPage::Around(answers[2]), 3).await), ["1", "2", "3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_paged_by_their_last_entry() {
    let fixture = Fixture::start().await;
    let (team, ann, bob) = team_of_three(&fixture).await;
    for name in ["apples", "berries", "cherries"] {
        team.channel(fixture.commands(), name, Kind::Public, &[ann]).await;
    }
    fixture.settle().await;
    let read = &fixture.reading.read;

    let all = ChannelFilter { workspace_id: team.workspace_id, archived: None };
    let first = read.browsable_channels(ann, all, None, 2).await.expect("a page");
    assert_eq!(first.iter().filter_map(|c| c.name.as_deref()).collect::<Vec<_>>(), ["apples", "berries"]);
    let rest = read.browsable_channels(ann, all, first[1].name.as_deref(), 50).await.expect("a page");
    assert_eq!(rest.iter().filter_map(|c| c.name.as_deref()).collect::<Vec<_>>(), ["cherries", "general"]);

    let members = read.members(team.workspace_id, None, ReadModels::PAGE_ROWS_MAX).await.expect("a page");
    let behind_the_first = read.members(team.workspace_id, Some(members[0].user_id.into()), 50).await.expect("a page");
    assert_eq!((members.len(), behind_the_first.len()), (3, 2));

    let of_ann = read.channels_of(ann, all, None, 50).await.expect("a page");
    let behind = read.channels_of(ann, all, Some(of_ann[1].channel_id.into()), 50).await.expect("a page");
    assert_eq!((of_ann.len(), behind.len()), (4, 2));
    assert_eq!(read.channels_of(bob, all, None, 50).await.expect("a page").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_finds_members_by_any_part_of_their_names_without_case() {
    let fixture = Fixture::start().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    fixture.settle().await;
    let found = async |query, after| {
        let rows = fixture.reading.read.user_directory(team.workspace_id, query, after, 50).await.expect("a page");
        rows.into_iter().map(|row| row.username).collect::<Vec<_>>()
    };
    assert_eq!(found(None, None).await, ["ann", "bob", "owner"]);
    assert_eq!(found(None, Some(("ANN".into(), ann.0))).await, ["bob", "owner"]);
    assert_eq!(found(Some("NN"), None).await, ["ann"]);
    assert_eq!(found(Some("%"), None).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_found_by_actor_aggregate_type_and_time() {
    let fixture = Fixture::start().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    fixture.post(ann, team.general, "before").await;
    let between = fixture.writing.commands.store().catch_up().await.expect("the head");
    let message = fixture.post(ann, team.general, "after").await;
    fixture.settle().await;
    let stores = &fixture.reading.stores;
    let audit = AuditLog::new(stores.pool.clone(), stores.keys.clone());
    let filter = Filter { workspace_id: Some(team.workspace_id), limit: 50, ..Filter::default() };
    let log = async |filter: Filter| audit.find(&filter).await.expect("the log").entries(&TextAccess::everything());

    let whole = log(filter.clone()).await;
    assert!(whole.windows(2).all(|pair| pair[0].position > pair[1].position), "newest first");
    let posted = log(Filter { event_type: Some("message.posted".into()), actor: Some(ann), ..filter.clone() }).await;
    assert!(posted.iter().all(|e| e.event_type == "message.posted" && e.actor_id == ann.0));
    let of_message = log(Filter { aggregate_id: Some(message.0), ..filter.clone() }).await;
    assert_eq!(of_message.iter().map(|e| e.payload["message.posted"]["content"].clone()).collect::<Vec<_>>(), ["after"]);
    let oldest_first = log(Filter { after: Some(between), order: Order::OldestFirst, ..filter.clone() }).await;
    assert_eq!(oldest_first.first().map(|e| e.position), Some(between + 1));
    let at = of_message[0].recorded_at;
    let later = log(Filter { from: Some(at), ..filter.clone() }).await;
    let earlier = log(Filter { to: Some(at), ..filter.clone() }).await;
    assert!(later.iter().all(|e| e.recorded_at >= at) && earlier.iter().all(|e| e.recorded_at < at));
    assert_eq!(later.len() + earlier.len(), whole.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_waits_for_a_written_event_and_not_for_one_that_does_not_exist() {
    let mut fixture = Fixture::without_projector().await;
    let (team, ann, _) = team_of_three(&fixture).await;
    let appended = fixture.commands().post_message(&asked(ann), team.general, super::new_message(chrono::Utc::now(), "hello", None)).await;
    let position = appended.expect("a message").position;
    let progress = fixture.reading.progress.clone();
    let short = std::time::Duration::from_millis(50);
    assert!(progress.wait_for(projections::RELATIONAL, position, short).await.is_err(), "no projector runs");
    fixture.reading.start_projector(None);
    let reached = progress.wait_for(projections::RELATIONAL, position, super::LIMIT).await.expect("the projector catches up");
    assert!(reached >= position);
    assert!(progress.wait_for(projections::RELATIONAL, position + 1, short).await.is_err(), "there is no such event");
    assert!(progress.wait_for("carrots", 1, short).await.is_err(), "there is no such projection");
}
