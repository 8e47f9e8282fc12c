//! `GET …/changes`: the events of others that a client gets, and those that it never gets.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use commands::event_store::{EventStore, Lease, StoreError};
use domain::ids::{ChannelId, MessageId, UserId};
use domain::message::NewMessage;
use domain::text::MessageBody;
use reqwest::Method;
use serde_json::{Value, json};
use stores::release::{Outdated, Release};
use tests::person::send;
use tests::team::id;
use tests::{Person, Team, TestApp, eventually};
use uuid::Uuid;

use crate::support::post_dated;

/// A page behind a cursor.
async fn page(person: &Person, team: &Team, after: &str) -> Value {
    person.get(&team.path(&format!("/changes?limit=100&after={after}"))).await.expect(200)
}

/// The cursor of now.
async fn now(person: &Person, team: &Team) -> String {
    let page = person.get(&team.path("/changes")).await.expect(200);
    assert_eq!((&page["items"], &page["has_more"]), (&json!([]), &json!(false)));
    next(&page)
}

fn next(page: &Value) -> String {
    page["next"].as_str().expect("every page has a cursor").to_owned()
}

fn frames(page: &Value) -> &[Value] {
    page["items"].as_array().expect("frames")
}

fn names(page: &Value) -> Vec<&str> {
    frames(page).iter().map(|frame| frame["event"].as_str().expect("a name")).collect()
}

/// The frame of an event.
fn frame<'a>(page: &'a Value, event: &str) -> &'a Value {
    frames(page).iter().find(|frame| frame["event"] == event).unwrap_or_else(|| panic!("no {event} in {page}"))
}

/// The page with everything behind a cursor, read in small pages.
async fn everything(person: &Person, team: &Team, after: &str, limit: u8) -> (Vec<Value>, String) {
    let (mut all, mut after) = (Vec::new(), after.to_owned());
    loop {
        let page = person.get(&team.path(&format!("/changes?limit={limit}&after={after}"))).await.expect(200);
        assert!(frames(&page).len() <= usize::from(limit));
        all.extend(frames(&page).to_vec());
        after = next(&page);
        if page["has_more"] == false {
            return (all, after);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_begins_at_the_end_of_the_log_and_gets_every_event_behind_it_once_and_in_order() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let begin = now(&team.member, &team).await;
    let message = team.message(&team.owner, team.general, "one").await;
    let path = format!("/v1/messages/{message}");
    team.owner.patch(&path, json!({"content": "two"})).await.expect(200);
    team.owner.put_empty(&format!("{path}/reactions/tada")).await.expect(200);
    team.owner.put_empty(&format!("{path}/pin")).await.expect(200);
    team.owner.delete(&format!("{path}/reactions/tada")).await.expect(204);
    team.owner.delete(&format!("{path}/pin")).await.expect(204);
    team.owner.put(&team.general("/topic"), json!({"topic": "tea"})).await.expect(200);
    team.owner.delete(&path).await.expect(204);
    let all = page(&team.member, &team, &begin).await;
    let expected = [
        "message.posted",
        "message.edited",
        "message.reacted",
        "message.pinned",
        "message.reaction_removed",
        "message.unpinned",
        "channel.topic_changed",
        "message.posted",
        "message.deleted",
    ];
    assert_eq!(names(&all), expected);
    let positions = frames(&all).iter().map(|frame| frame["position"].as_i64().expect("a position")).collect::<Vec<_>>();
    assert!(positions.is_sorted_by(|one, two| one < two), "{positions:?}");
    assert_eq!(frame(&all, "channel.topic_changed")["channel"]["topic"], "tea");
    assert_eq!(frame(&all, "message.reacted")["emoji"], "🎉");
    for limit in [1, 4] {
        assert_eq!(everything(&team.member, &team, &begin, limit).await.0, frames(&all), "pages of {limit}");
    }
    let nothing = page(&team.member, &team, &next(&all)).await;
    assert_eq!((frames(&nothing).len(), next(&nothing)), (0, next(&all)));
    // The cursor of a frame is the identifier of the log and its position.
    let third = format!("{}:{}", all["log_id"].as_str().expect("an identifier"), positions[2]);
    assert_eq!(frames(&page(&team.member, &team, &third).await), &frames(&all)[3..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_a_frame_is_the_row_of_the_message() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let begin = now(&team.member, &team).await;
    let root = team.message(&team.owner, team.general, &format!("<@{}> see https://example.org", team.member.id)).await;
    let answer = json!({"content": "an answer", "thread_id": root});
    let answer = id(&team.member.post(&team.general("/messages"), answer).await.expect(201), "message_id");
    for message in [root, answer] {
        let path = format!("/v1/messages/{message}");
        for person in [&team.owner, &team.member] {
            person.put_empty(&format!("{path}/reactions/tada")).await.expect(200);
        }
        team.member.put_empty(&format!("{path}/reactions/eyes")).await.expect(200);
        team.owner.put_empty(&format!("{path}/pin")).await.expect(200);
    }
    team.owner.patch(&format!("/v1/messages/{root}"), json!({"content": "edited"})).await.expect(200);
    let deleted = team.message(&team.owner, team.general, "gone").await;
    team.owner.delete(&format!("/v1/messages/{deleted}")).await.expect(204);
    let all = page(&team.member, &team, &begin).await;
    let last = frames(&all).last().and_then(|frame| frame["position"].as_i64()).expect("a position");
    for message in [root, answer, deleted] {
        let row = team.member.get_at(last, &format!("/v1/messages/{message}")).await.expect(200);
        let mut shown = frames(&all).iter().filter(|frame| frame["message"]["message_id"] == message.to_string().as_str()).peekable();
        assert!(shown.peek().is_some());
        for frame in shown {
            for (field, value) in frame["message"].as_object().expect("a message") {
                // Rows of this release list reactions in another form.
                assert!(row[field] == *value || field == "reactions" || field == "is_erased", "{field}: {value}, and {}", row[field]);
            }
        }
    }
    let reactions = &frame(&all, "message.pinned")["message"]["reactions"];
    let (owner, member) = (team.owner.id, team.member.id);
    let expected = json!([{"emoji": "🎉", "count": 2, "users": [owner, member]}, {"emoji": "👀", "count": 1, "users": [member]}]);
    assert_eq!(*reactions, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_text_is_not_shown_once_it_was_edited_deleted_or_purged() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let begin = now(&team.member, &team).await;
    let [edited, deleted, purged] = ["a mistake", "a regret", "a crime"].map(|text| team.message(&team.owner, team.general, text));
    let (edited, deleted, purged) = (edited.await, deleted.await, purged.await);
    team.owner.patch(&format!("/v1/messages/{edited}"), json!({"content": "corrected"})).await.expect(200);
    team.owner.delete(&format!("/v1/messages/{deleted}")).await.expect(204);
    let purge = json!({"reason": "a court order"});
    team.owner.put(&format!("/v1/messages/{purged}/purge"), purge).await.expect(204);
    let all = page(&team.member, &team, &begin).await;
    for text in ["a mistake", "a regret", "a crime", "a court order"] {
        assert!(!all.to_string().contains(text), "{text}");
    }
    let posted = frames(&all).iter().filter(|frame| frame["event"] == "message.posted");
    let shown = posted.map(|frame| (frame["message"]["content"].as_str().expect("a text"), &frame["message"]["is_deleted"]));
    assert_eq!(shown.collect::<Vec<_>>(), [("corrected", &json!(false)), ("", &json!(true)), ("", &json!(true))]);
    assert_eq!(frame(&all, "message.purged")["message"]["message_id"], purged.to_string().as_str());
}

/// Posts a message with a time this number of days ago.
async fn posted_long_ago(app: &TestApp, by: &Person, channel: Uuid, days: i64, text: &str) -> Uuid {
    let sent_at = Utc::now() - TimeDelta::days(days);
    let message_id = MessageId::at(sent_at, *Uuid::now_v7().as_bytes().last_chunk().expect("ten bytes"));
    let content = MessageBody::parse(text).expect("a text");
    let new = NewMessage { message_id, content, thread_id: None, client_msg_id: None, sent_at };
    assert!(post_dated(&app.app().commands, UserId(by.id), ChannelId(channel), new).await, "the message is appended");
    message_id.0
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_retention_has_removed_are_named_by_the_removal_only() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let begin = now(&team.member, &team).await;
    let old = posted_long_ago(&app, &team.owner, team.general, 60, "old news").await;
    team.owner.put_empty(&format!("/v1/messages/{old}/reactions/tada")).await.expect(200);
    posted_long_ago(&app, &team.owner, team.general, 10, "younger news").await;
    assert_eq!(names(&page(&team.member, &team, &begin).await), ["message.posted", "message.reacted", "message.posted"]);
    team.owner.patch(&team.path("/settings"), json!({"retention_policy": {"days": 30, "keep_pinned": false}})).await.expect(200);
    crate::cache::settled(&app).await;
    eventually("a run may begin", async || team.owner.post(&team.path("/retention/runs"), json!({})).await.status == 202).await;
    let is_applied = async || names(&page(&team.member, &team, &begin).await).contains(&"retention.applied");
    eventually("the message is archived", is_applied).await;
    let all = page(&team.member, &team, &begin).await;
    assert_eq!(names(&all), ["message.posted", "workspace.settings_changed", "retention.applied"]);
    assert_eq!(frames(&all)[0]["message"]["content"], "younger news");
    let removal = frame(&all, "retention.applied");
    assert_eq!((&removal["action"], &removal["message_ids"]), (&json!("archive"), &json!([old])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_is_the_last_that_a_member_gets_of_a_private_channel_and_an_addition_the_first() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let begin = now(&team.member, &team).await;
    let secret = team.channel(&team.owner, "private", "secret", &[&team.member]).await;
    team.message(&team.owner, secret, "while they were in it").await;
    let inside = page(&team.member, &team, &begin).await;
    // They were no member when the channel was created, so they do not get that.
    assert_eq!(names(&inside), ["channel.member_joined", "message.posted"]);
    assert_eq!(frames(&inside)[0]["channel"]["name"], "secret");
    let membership = format!("/v1/channels/{secret}/members/{}", team.member.id);
    team.owner.delete(&membership).await.expect(204);
    team.owner.put(&format!("/v1/channels/{secret}/name"), json!({"name": "more-secret"})).await.expect(200);
    team.message(&team.owner, secret, "while they were out").await;

    let of_before = page(&team.member, &team, &begin).await;
    assert_eq!(names(&of_before), ["channel.member_removed"], "neither what was said before, nor what was said after");
    assert!(!of_before.to_string().contains("secret\""), "{of_before}");
    let removal = &frames(&of_before)[0];
    assert_eq!((&removal["channel_id"], &removal["member"]["user_id"]), (&json!(secret), &json!(team.member.id)));

    team.owner.post(&format!("/v1/channels/{secret}/members"), json!({"user_id": team.member.id})).await.expect(200);
    team.message(&team.owner, secret, "welcome back").await;
    let back = page(&team.member, &team, &next(&of_before)).await;
    assert_eq!(names(&back), ["channel.member_joined", "message.posted", "message.posted"], "the second tells of the addition");
    assert!(!back.to_string().contains("while they were out"), "{back}");
    // They get again the events that they could see then.
    let whole = page(&team.member, &team, &begin).await;
    assert!(whole.to_string().contains("while they were in it") && !whole.to_string().contains("while they were out"), "{whole}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_concerns_one_member_or_administrators_is_not_sent_to_others() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let begin = now(&team.member, &team).await;
    team.member.put(&team.general("/notification-level"), json!({"level": "none"})).await.expect(200);
    team.member.patch("/v1/users/me/preferences", json!({"language": "de"})).await.expect(200);
    team.invite("new@example.org", "member").await;
    team.owner.post(&team.path("/holds"), json!({"on": {"kind": "workspace"}, "reason": "a lawsuit"})).await.expect(201);
    let talk = json!({"type": "dm", "members": [team.guest.id]});
    let talk = id(&team.owner.post(&team.path("/channels"), talk).await.expect(201), "channel_id");
    team.message(&team.guest, talk, "between us").await;
    team.channel(&team.owner, "private", "closed", &[]).await;
    team.channel(&team.owner, "public", "open", &[]).await;
    let seen = async |person: &Person| {
        let page = page(person, &team, &begin).await;
        names(&page).into_iter().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let own = ["channel.notification_level_changed", "user.preferences_changed"];
    let of_open = ["channel.created", "channel.member_joined"];
    assert_eq!(seen(&team.member).await, set(&[&own[..], &of_open].concat()));
    assert_eq!(seen(&team.guest).await, set(&["channel.member_joined", "message.posted"]));
    let of_owner = ["workspace.member_invited", "workspace.hold_placed", "message.posted"];
    assert_eq!(seen(&team.owner).await, set(&[&of_owner[..], &of_open].concat()));
    team.stranger.get(&team.path("/changes")).await.expect_problem(404, "workspace.not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_gets_changes_of_people_in_the_guests_channels_only() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let other = app.sign_up("other").await;
    team.take_in(&other, "member").await;
    team.channel(&team.owner, "private", "project", &[&team.member, &team.guest]).await;
    team.owner.delete(&team.general(&format!("/members/{}", team.guest.id))).await.expect(204);
    let begin = now(&team.guest, &team).await;
    for person in [&other, &team.member] {
        person.patch("/v1/users/me", json!({"display_name": "Renamed"})).await.expect(200);
    }
    let all = page(&team.guest, &team, &begin).await;
    let renamed = frames(&all).iter().filter(|frame| frame["event"] == "user.profile_changed");
    let renamed = renamed.map(|frame| id(frame, "user_id")).collect::<Vec<_>>();
    assert_eq!(renamed, [team.member.id]);
    assert_eq!(frame(&all, "user.profile_changed")["user"]["display_name"], "Renamed");
}

#[tokio::test(flavor = "multi_thread")]
async fn deactivated_and_suspended_members_are_refused_and_come_back_by_the_rules() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let begin = now(&team.member, &team).await;
    let changes = team.path(&format!("/changes?after={begin}"));
    let member = team.path(&format!("/members/{}", team.member.id));
    let deactivated = format!("{member}/deactivation");
    team.owner.put_empty(&deactivated).await.expect(200);
    team.member.get(&changes).await.expect_problem(404, "workspace.not_found");
    team.message(&team.owner, team.general, "meanwhile").await;
    team.owner.delete(&deactivated).await.expect(204);
    let back = page(&team.member, &team, &begin).await;
    assert_eq!(names(&back), ["workspace.member_deactivated", "workspace.member_reactivated"]);

    let begin = next(&back);
    let suspension = format!("/v1/users/{}/suspension", team.member.id);
    team.operator.put(&suspension, json!({"reason": "spam"})).await.expect(204);
    team.message(&team.owner, team.general, "during the suspension").await;
    let refused = team.member.get(&changes).await;
    assert!([401, 403].contains(&refused.status.as_u16()), "{}", refused.body);
    team.operator.delete(&suspension).await.expect(204);
    let member = team.member.with_token(app.sign_in(&team.member.email).await);
    let back = page(&member, &team, &begin).await;
    assert_eq!(names(&back), ["user.suspended", "message.posted", "user.reactivated"]);
    assert!(!back.to_string().contains("spam"), "{back}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_has_neither_name_nor_text_in_old_frames() {
    let app = TestApp::start_with(&[("BACKSCROLL_ERASURE_HOURS", "0")]).await;
    let team = Team::found(&app).await;
    let begin = now(&team.owner, &team).await;
    team.member.patch("/v1/users/me", json!({"display_name": "Greta Garbo"})).await.expect(200);
    team.member.put("/v1/users/me/custom-status", json!({"text": "wants to be alone"})).await.expect(200);
    team.message(&team.member, team.general, "leave me alone").await;
    let before = page(&team.owner, &team, &begin).await;
    assert_eq!(frame(&before, "user.status_changed")["custom_status"]["text"], "wants to be alone");
    assert_eq!(frame(&before, "message.posted")["message"]["display_name"], "Greta Garbo");
    team.member.delete_confirmed("/v1/users/me").await.expect(204);
    eventually("the erasure is carried out", async || names(&page(&team.owner, &team, &begin).await).contains(&"user.erased")).await;
    let all = page(&team.owner, &team, &begin).await;
    for trace in ["Greta", "alone"] {
        assert!(!all.to_string().contains(trace), "{trace} in {all}");
    }
    let message = &frame(&all, "message.posted")["message"];
    assert_eq!((&message["content"], &message["is_erased"]), (&json!(""), &json!(true)));
    assert_eq!(frame(&all, "user.erased")["user_id"], json!(team.member.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_leads_nowhere_is_answered_with_a_reset_and_a_cursor_that_leads_on() {
    let app = TestApp::start_with(&[("BACKSCROLL_CHANGES_BEHIND_MAX", "3")]).await;
    let team = Team::found(&app).await;
    let begin = now(&team.member, &team).await;
    let (log_id, position) = begin.split_once(':').expect("a colon");
    let reason = async |after: &str| {
        let page = page(&team.member, &team, after).await;
        if !page["reset"].is_null() {
            assert!(frames(&page).is_empty(), "{page}");
        }
        let goes_on = team.path(&format!("/changes?after={}", next(&page)));
        assert_eq!(team.member.get(&goes_on).await.expect(200)["reset"], Value::Null);
        page["reset"]["reason"].clone()
    };
    assert_eq!(reason(&format!("{}:{position}", Uuid::now_v7())).await, "log_changed");
    assert_eq!(reason(&format!("{log_id}:{}", i64::MAX)).await, "ahead_of_log");
    for n in 0..3 {
        team.message(&team.owner, team.general, &format!("{n}")).await;
    }
    // Events of other workspaces do not count.
    Team::found(&app).await;
    assert_eq!(reason(&begin).await, Value::Null, "three events are not too many");
    assert_eq!(names(&page(&team.member, &team, &begin).await).len(), 3);
    team.message(&team.owner, team.general, "one too many").await;
    assert_eq!(reason(&begin).await, "too_far_behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_cursors_limits_and_waits_are_refused() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    for after in ["4711", "nonsense", "a:b", &format!("{}:-1", team.id), &format!("{}:", team.id)] {
        team.member.get(&team.path(&format!("/changes?after={after}"))).await.expect_problem(400, "request.cursor_invalid");
    }
    for query in ["limit=0", "wait=11", "wait=-1", "before=1"] {
        team.member.get(&team.path(&format!("/changes?{query}"))).await.expect_problem(400, "request.query_invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_for_an_event_whichever_server_appends_it() {
    let first = TestApp::start().await;
    let second = TestApp::start_with(&[
        ("BACKSCROLL_POSTGRES_URL", &first.database.url),
        ("BACKSCROLL_NATS_STREAM", &first.stream),
        ("BACKSCROLL_REDIS_KEY_PREFIX", &first.redis_prefix),
    ])
    .await;
    let team = Team::found(&first).await;
    for (waiting, posting) in [(&first, &second), (&second, &first)] {
        let begin = now(&team.member, &team).await;
        let path = team.path(&format!("/changes?wait=10&after={begin}"));
        let (member, owner) = (team.member.at(waiting), team.owner.at(posting));
        let began = Instant::now();
        let (page, posted) = tokio::join!(member.get(&path), async {
            // An event that the waiting caller may not see does not end the wait.
            team.channel(&owner, "private", &format!("a-{}", Uuid::now_v7().simple()), &[]).await;
            team.post(&owner, team.general, "hello").await
        });
        let page = page.expect(200);
        assert_eq!(names(&page), ["message.posted"]);
        assert_eq!(frames(&page)[0]["position"], posted.position());
        assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    }
    let begin = now(&team.member, &team).await;
    let nothing = team.member.get(&team.path(&format!("/changes?wait=1&after={begin}"))).await.expect(200);
    assert!(frames(&nothing).is_empty(), "{nothing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_min_position_may_name_the_log_and_that_of_another_log_is_refused() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    team.post(&team.owner, team.general, "hello").await.expect(201);
    let here = now(&team.member, &team).await;
    let read_at = async |min_position: &str| {
        let request = team.member.request(Method::GET, &team.general("/messages")).header("Backscroll-Min-Position", min_position);
        send(request).await
    };
    let (_, position) = here.split_once(':').expect("a colon");
    for at in [&here, position] {
        let answer = read_at(at).await;
        assert!(answer.position() >= position.parse().expect("a position"));
        answer.expect(200);
    }
    let problem = read_at(&format!("{}:{position}", team.id)).await.expect_problem(400, "request.position_of_another_log");
    assert_eq!(problem["field"], "Backscroll-Min-Position");
    for text in ["a:1", &format!("{}:", team.id), &format!("{}:x", team.id)] {
        read_at(text).await.expect_problem(400, "request.header_invalid");
    }
}

/// The identifier of the log, as clients see it.
async fn log_id(person: &Person, team: &Team) -> Value {
    person.get(&team.path("/changes")).await.expect(200)["log_id"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_keeps_its_identifier_until_postgres_is_on_another_timeline() {
    let mut app = TestApp::start().await;
    let team = Team::found(&app).await;
    let begin = now(&team.owner, &team).await;
    let first = log_id(&team.owner, &team).await;
    let log = app.as_operator("/readyz").await.expect(200)["log"]["state"].clone();
    assert!(log.as_str().is_some_and(|log| log.starts_with(first.as_str().expect("text"))), "{log}");
    app.stop().await;
    app.start_again().await;
    let owner = team.owner.at(&app);
    assert_eq!(log_id(&owner, &team).await, first);

    app.stop().await;
    let pool = app.database.pool(1).await;
    // As a recovery, or the promotion of a replica, leaves it.
    sqlx::query("UPDATE database_identity SET timeline = timeline - 1").execute(&pool).await.expect("an update");
    app.start_again().await;
    let owner = team.owner.at(&app);
    assert_ne!(log_id(&owner, &team).await, first);
    assert_eq!(page(&owner, &team, &begin).await["reset"]["reason"], "log_changed");
    let known: (Uuid, Uuid) = sqlx::query_as("SELECT log_id, copy_id FROM database_identity").fetch_one(&pool).await.expect("a row");
    assert_eq!(known.0, known.1, "the names in Redis and Elasticsearch change with it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_process_stops_when_the_log_becomes_another_one() {
    let app = TestApp::start().await;
    let pool = app.database.pool(2).await;
    let lease = Lease { renew_every: Duration::from_millis(50), ..Lease::default() };
    let store = EventStore::start_as(pool.clone(), tests::keyring(&pool).await, Release::this(), lease).await.expect("a store");
    let outdated = store.outdated();
    assert!(outdated.borrow().is_none());
    sqlx::query("UPDATE database_identity SET log_id = gen_random_uuid()").execute(&pool).await.expect("an update");
    eventually("the process must stop", async || outdated.borrow().is_some()).await;
    let why = outdated.borrow().clone().expect("a reason");
    assert!(matches!(*why, Outdated::AnotherLog), "{why}");
    let refused = EventStore::start(pool.clone(), tests::keyring(&pool).await).await.map(|_| ());
    assert!(refused.is_ok(), "a process that starts now is right: {:?}", refused.err().map(|error: StoreError| error.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_has_what_the_document_says() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let begin = format!("{}:0", log_id(&team.owner, &team).await.as_str().expect("text"));
    let message = team.message(&team.owner, team.general, "hello").await;
    team.owner.put_empty(&format!("/v1/messages/{message}/reactions/tada")).await.expect(200);
    team.owner.patch(&team.path("/settings"), json!({"edit_window_minutes": 5})).await.expect(200);
    let document = api::openapi::document().json;
    let union = &document["components"]["schemas"]["EventFrame"];
    assert_eq!(union["discriminator"]["propertyName"], "event");
    let all = page(&team.owner, &team, &begin).await;
    assert!(names(&all).into_iter().collect::<BTreeSet<_>>().len() > 5);
    for frame in frames(&all) {
        let schema = union["discriminator"]["mapping"][frame["event"].as_str().expect("a name")].as_str().expect("a schema");
        let references = union["oneOf"].as_array().expect("schemas").iter().filter(|one| one["$ref"] == schema).count();
        assert_eq!(references, 1, "{schema}");
        let schema = document.pointer(schema.trim_start_matches('#')).expect("a schema");
        let properties = schema["properties"].as_object().expect("properties");
        for field in frame.as_object().expect("an object").keys() {
            assert!(properties.contains_key(field), "{field} of {frame}");
        }
        for required in schema["required"].as_array().expect("fields") {
            assert!(!frame[required.as_str().expect("a name")].is_null(), "{required} of {frame}");
        }
        assert_eq!(properties["event"]["enum"], json!([frame["event"]]));
    }
}
