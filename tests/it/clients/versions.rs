//! Conditions on rows: `ETag`, `If-Match` and `If-None-Match`; a page around a message that is not there; and cursors.

use reqwest::Method;
use serde_json::{Value, json};
use tests::answer::Answer;
use tests::person::send;
use tests::{Person, Team, TestApp};
use uuid::Uuid;

/// A row, and a command that changes it.
struct Case {
    row: String,
    method: Method,
    command: String,
    field: &'static str,
}

impl Case {
    fn new(row: impl Into<String>, method: Method, command: impl Into<String>, field: &'static str) -> Self {
        Self { row: row.into(), method, command: command.into(), field }
    }

    async fn change(&self, by: &Person, value: &str, tag: Option<&str>) -> Answer {
        let request = by.request(self.method.clone(), &self.command).json(&json!({self.field: value}));
        send(match tag {
            Some(tag) => request.header("If-Match", tag),
            None => request,
        })
        .await
    }

    async fn tag(&self, by: &Person, position: i64) -> String {
        let answer = by.get_at(position, &self.row).await;
        answer.header("etag").unwrap_or_else(|| panic!("{} has no tag: {}", answer.asked, answer.body)).to_owned()
    }
}

async fn cases(team: &Team) -> Vec<Case> {
    let message = format!("/v1/messages/{}", team.message(&team.owner, team.general, "first").await);
    let workspace = team.path("");
    vec![
        Case::new(message.clone(), Method::PATCH, message, "content"),
        Case::new(team.general(""), Method::PUT, team.general("/topic"), "topic"),
        Case::new(workspace.clone(), Method::PATCH, workspace, "name"),
        Case::new("/v1/users/me", Method::PATCH, "/v1/users/me", "title"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_has_changed_meanwhile_is_not_overwritten() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let by = &team.owner;
    for case in cases(&team).await {
        let position = case.change(by, "one", None).await.position();
        let read = case.tag(by, position).await;
        let position = case.change(by, "two", Some(&read)).await.position();
        let refused = case.change(by, "three", Some(&read)).await;
        refused.expect_problem(412, "request.row_changed");
        assert_eq!(by.get_at(position, &case.row).await.expect(200)[case.field], "two", "{}", case.row);
        // A proxy may mark the tag as weak, and a client may send several.
        let read = case.tag(by, position).await;
        let position = case.change(by, "three", Some(&format!("W/{read}"))).await.position();
        let now = case.tag(by, position).await;
        case.change(by, "four", Some(&format!("{read}, {now}"))).await.expect(200);
        case.change(by, "five", Some("*")).await.expect(200);
        case.change(by, "six", Some("nonsense")).await.expect_problem(400, "request.header_invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_add_to_a_row_is_no_change_of_it() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let posted = team.post(&team.owner, team.general, "first").await;
    let (position, message) = (posted.position(), tests::team::id(&posted.body, "message_id"));
    let path = format!("/v1/messages/{message}");
    let case = Case::new(path.clone(), Method::PATCH, path.clone(), "content");
    let read = case.tag(&team.owner, position).await;
    team.member.put_empty(&format!("{path}/reactions/tada")).await.expect(200);
    team.member.post(&team.general("/messages"), json!({"content": "an answer", "thread_id": message})).await.expect(201);
    case.change(&team.owner, "second", Some(&read)).await.expect(200);

    let channel = team.channel(&team.owner, "public", "orchard", &[]).await;
    let position = team.post(&team.owner, channel, "trees").await.position();
    let case = Case::new(format!("/v1/channels/{channel}"), Method::PUT, format!("/v1/channels/{channel}/topic"), "topic");
    let read = case.tag(&team.owner, position).await;
    team.member.put_empty(&format!("/v1/channels/{channel}/membership")).await.expect(200);
    case.change(&team.owner, "apples", Some(&read)).await.expect(200);
    // A command without a row takes no condition.
    let post = team.owner.request(Method::POST, &team.general("/messages")).header("If-Match", &read);
    send(post.json(&json!({"content": "hello"}))).await.expect_problem(412, "request.if_match_unexpected");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_edits_of_the_same_reading_one_wins_and_a_repetition_of_it_is_replayed() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let case = Case::new(team.general(""), Method::PUT, team.general("/topic"), "topic");
    for round in 0..5 {
        let position = case.change(&team.owner, &format!("round {round}"), None).await.position();
        let read = case.tag(&team.owner, position).await;
        let (one, other) = (format!("one {round}"), format!("other {round}"));
        let (one, other) = tokio::join!(case.change(&team.owner, &one, Some(&read)), case.change(&team.owner, &other, Some(&read)));
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "{} {}", one.body, other.body);
    }
    let position = case.change(&team.owner, "last round", None).await.position();
    let read = case.tag(&team.owner, position).await;
    let once = || {
        let request = team.owner.request(Method::PUT, &case.command).header("If-Match", &read).header("Idempotency-Key", "once");
        send(request.json(&json!({"topic": "decided"})))
    };
    once().await.expect(200);
    let again = once().await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (200, Some("true")), "{}", again.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_the_client_has_is_not_sent_again() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    for case in cases(&team).await {
        let position = case.change(&team.owner, "one", None).await.position();
        let tag = case.tag(&team.owner, position).await;
        let known = async |tag: &str| send(team.owner.request(Method::GET, &case.row).header("If-None-Match", tag)).await;
        let same = known(&tag).await;
        assert_eq!((same.status.as_u16(), &same.body, same.header("etag")), (304, &Value::Null, Some(tag.as_str())), "{}", case.row);
        assert!(same.header("backscroll-position").is_some());
        let position = case.change(&team.owner, "two", None).await.position();
        case.tag(&team.owner, position).await;
        assert_eq!(known(&tag).await.expect(200)[case.field], "two");
    }
    // The author's name is a part of the message, although the message has not changed.
    let posted = team.post(&team.member, team.general, "by whom?").await;
    let (position, message) = (posted.position(), format!("/v1/messages/{}", tests::team::id(&posted.body, "message_id")));
    let before = team.owner.get_at(position, &message).await.header("etag").map(str::to_owned);
    let position = team.member.patch("/v1/users/me", json!({"display_name": "Somebody Else"})).await.position();
    let after = team.owner.get_at(position, &message).await.header("etag").map(str::to_owned);
    assert!(before.is_some() && before != after, "{before:?} {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_around_a_message_that_is_not_in_the_list_is_not_found() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let here = team.message(&team.owner, team.general, "here").await;
    let root = team.message(&team.owner, team.general, "a thread").await;
    let answer = team.owner.post(&team.general("/messages"), json!({"content": "an answer", "thread_id": root})).await;
    let (position, answer) = (answer.position(), tests::team::id(&answer.body, "message_id"));
    let elsewhere = team.channel(&team.owner, "private", "elsewhere", &[]).await;
    let secret = team.message(&team.owner, elsewhere, "secret").await;
    let thread = format!("/v1/messages/{root}/thread");
    team.owner.get_at(position, "/v1/users/me").await.expect(200);

    for (list, found) in [(team.general("/messages"), here), (thread.clone(), answer), (thread.clone(), root)] {
        team.member.get_at(position, &format!("{list}?around={found}")).await.expect(200);
    }
    let position = team.post(&team.owner, elsewhere, "and more").await.position();
    for (list, missing) in [
        (team.general("/messages"), Uuid::now_v7()),
        (team.general("/messages"), secret),
        (thread.clone(), here),
        (thread.clone(), Uuid::now_v7()),
        (team.general("/retained-messages"), here),
    ] {
        let refused = team.owner.get_at(position, &format!("{list}?around={missing}")).await.expect_problem(404, "message.not_found");
        assert_eq!(refused["field"], "around", "{list}");
    }
}

#[test]
fn every_cursor_is_a_string() {
    let document = api::openapi::document().json;
    let is_text = |schema: &Value| {
        let kind = &schema["type"];
        *kind == "string" || kind.as_array().is_some_and(|kinds| kinds.iter().all(|kind| kind == "string" || kind == "null"))
    };
    let items = document["paths"].as_object().expect("paths").values().filter_map(|item| item.get("get"));
    for operation in items {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().expect("a name");
            let is_cursor = parameter["in"] == "query" && ["after", "before", "cursor", "messages_after"].contains(&name);
            assert!(!is_cursor || is_text(&parameter["schema"]), "{}: {name}", operation["operationId"]);
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        for field in ["next", "previous", "next_messages"] {
            let property = &schema["properties"][field];
            assert!(property.is_null() || is_text(property), "{name}.{field}");
        }
    }
}
