//! Messages: posting, reading, editing, deleting, reacting, pinning.

use serde_json::{Value, json};
use tests::team::id;
use tests::{Team, TestApp};
use uuid::Uuid;

fn texts(page: &Value) -> Vec<&str> {
    page["items"].as_array().expect("rows").iter().map(|row| row["content"].as_str().expect("a text")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_posted_and_read_back_with_its_author() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let posted = team.post(&team.member, team.general, "Hello team!").await;
    let position = posted.position();
    let location = posted.header("location").expect("a place").to_owned();
    let read = team.guest.get_at(position, &team.general("/messages?limit=1")).await;
    assert!(read.position() >= position);
    let page = read.expect(200);
    assert_eq!((texts(&page), &page["items"][0]["username"]), (vec!["Hello team!"], &json!(team.member.username)));
    assert_eq!(team.guest.get(&location).await.expect(200)["content"], "Hello team!");
    team.stranger.get(&location).await.expect_problem(404, "message.not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refusal_of_an_invalid_message_names_the_field() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let messages = team.general("/messages");
    let long = team.owner.post(&messages, json!({"content": "x".repeat(40_001)})).await.expect_problem(422, "input.invalid");
    assert_eq!(long["field"], "content");
    team.owner.post(&messages, json!({"content": " \n "})).await.expect_problem(422, "input.invalid");
    team.owner.post(&messages, json!({"content": "a\u{0}b"})).await.expect_problem(422, "input.invalid");
    let thread = team.owner.post(&messages, json!({"content": "x", "thread_id": "7"})).await.expect_problem(400, "request.body_invalid");
    assert_eq!(thread["field"], "thread_id");
    let elsewhere = json!({"content": "x", "thread_id": team.id});
    team.owner.post(&messages, elsewhere).await.expect_problem(404, "message.thread_not_found");
    team.owner.post("/v1/channels/7/messages", json!({"content": "x"})).await.expect_problem(400, "request.path_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_paged_in_both_directions_and_around_a_message() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.owner, "public", "random", &[]).await;
    let mut ids = Vec::new();
    for n in 1..=7 {
        ids.push(team.message(&team.owner, channel, &format!("m{n}")).await);
    }
    let position = team.post(&team.owner, channel, "m8").await.position();
    let messages = format!("/v1/channels/{channel}/messages");
    let latest = team.owner.get_at(position, &format!("{messages}?limit=3")).await.expect(200);
    assert_eq!(texts(&latest), ["m6", "m7", "m8"]);
    let before = team.owner.get(&format!("{messages}?limit=3&before={}", latest["previous"].as_str().expect("older"))).await.expect(200);
    assert_eq!(texts(&before), ["m3", "m4", "m5"]);
    let after = team.owner.get(&format!("{messages}?limit=2&after={}", before["next"].as_str().expect("newer"))).await.expect(200);
    assert_eq!(texts(&after), ["m6", "m7"]);
    let around = team.owner.get(&format!("{messages}?limit=3&around={}", ids[3])).await.expect(200);
    assert!(texts(&around).contains(&"m4"), "{around}");

    let end = latest["next"].as_str().expect("the place after the newest");
    let nothing = team.owner.get(&format!("{messages}?after={end}")).await.expect(200);
    assert_eq!(
        (texts(&nothing), nothing["next"].as_str()),
        (vec![], Some(end)),
        "the cursor stays the same until there is a newer message"
    );
    team.owner.get(&format!("{messages}?before={end}&after={end}")).await.expect_problem(400, "request.query_invalid");
    team.owner.get(&format!("{messages}?before=x")).await.expect_problem(400, "request.cursor_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_has_its_answers_and_history_does_not() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let root = team.message(&team.owner, team.general, "question").await;
    let answer = team.member.post(&team.general("/messages"), json!({"content": "answer", "thread_id": root})).await;
    let position = answer.position();
    let answer = id(&answer.expect(201), "message_id");
    let thread = team.guest.get_at(position, &format!("/v1/messages/{root}/thread")).await.expect(200);
    assert_eq!((&thread["root"]["reply_count"], texts(&thread["replies"])), (&json!(1), vec!["answer"]));
    assert!(!texts(&team.guest.get(&team.general("/messages")).await.expect(200)).contains(&"answer"));
    let nested = json!({"content": "nested", "thread_id": answer});
    team.member.post(&team.general("/messages"), nested).await.expect_problem(422, "message.thread_nested");
    team.stranger.get(&format!("/v1/messages/{root}/thread")).await.expect_problem(404, "message.not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_author_edits_and_the_earlier_text_stays() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let message = format!("/v1/messages/{}", team.message(&team.member, team.general, "frist").await);
    team.owner.patch(&message, json!({"content": "mine"})).await.expect_problem(403, "message.not_the_author");
    let position = team.member.patch(&message, json!({"content": "first"})).await.position();
    let shown = team.owner.get_at(position, &message).await.expect(200);
    assert_eq!((&shown["content"], &shown["edit_history"][0]["content"]), (&json!("first"), &json!("frist")));
    team.member.patch(&message, json!({"content": ""})).await.expect_problem(422, "input.invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_shows_its_latest_earlier_texts_and_lists_all_page_by_page() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let message = format!("/v1/messages/{}", team.message(&team.member, team.general, "draft 0").await);
    let mut position = 0;
    for n in 1..=7 {
        position = team.member.patch(&message, json!({"content": format!("draft {n}")})).await.position();
    }
    let texts = |rows: &Value| rows.as_array().expect("rows").iter().map(|row| row["content"].clone()).collect::<Vec<_>>();
    let shown = team.owner.get_at(position, &message).await.expect(200);
    assert_eq!(texts(&shown["edit_history"]), ["draft 2", "draft 3", "draft 4", "draft 5", "draft 6"]);

    let first = team.owner.get_at(position, &format!("{message}/edits?limit=4")).await.expect(200);
    assert_eq!(texts(&first["items"]), ["draft 0", "draft 1", "draft 2", "draft 3"]);
    assert_eq!(first["items"][0]["edited_by"], json!(team.member.id));
    let next = first["next"].as_str().expect("a cursor");
    let last = team.owner.get(&format!("{message}/edits?limit=4&after={next}")).await.expect(200);
    assert_eq!((texts(&last["items"]).len(), &last["next"]), (3, &Value::Null));
    team.owner.get(&format!("{message}/edits?after=nothing")).await.expect_problem(400, "request.cursor_invalid");

    let position = team.member.delete(&message).await.position();
    let left = "SELECT count(*) FROM read.message_edits";
    team.owner.get_at(position, &team.general("/messages")).await.expect(200);
    assert_eq!(sqlx::query_scalar::<_, i64>(left).fetch_one(&app.app().pool).await.expect("a count"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_message_with_answers_stays_as_a_tombstone() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let root = team.message(&team.member, team.general, "question").await;
    let alone = team.message(&team.member, team.general, "alone").await;
    team.owner.post(&team.general("/messages"), json!({"content": "answer", "thread_id": root})).await.expect(201);
    team.guest.delete(&format!("/v1/messages/{root}")).await.expect_problem(403, "message.not_the_author");
    team.member.delete(&format!("/v1/messages/{alone}")).await.expect(204);
    let position = team.owner.delete(&format!("/v1/messages/{root}")).await.position();
    let page = team.guest.get_at(position, &team.general("/messages")).await.expect(200);
    let tombstone = page["items"].as_array().expect("rows").iter().find(|row| row["message_id"] == json!(root)).expect("the tombstone");
    assert_eq!((&tombstone["is_deleted"], &tombstone["content"]), (&json!(true), &json!("")));
    assert!(!page.to_string().contains(&alone.to_string()));
    team.member.delete(&format!("/v1/messages/{root}")).await.expect(204);
    team.guest.delete(&format!("/v1/messages/{root}")).await.expect_problem(403, "message.not_the_author");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_reacts_once_with_an_emoji_and_removes_the_reaction() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let message = format!("/v1/messages/{}", team.message(&team.member, team.general, "cake!").await);
    let reaction = format!("{message}/reactions/%F0%9F%8E%82");
    let position = team.guest.put_empty(&reaction).await.position();
    let again = team.guest.put_empty(&reaction).await;
    assert!(again.position() >= position);
    assert_eq!(again.expect(200)["reactions"], json!([{"emoji": "🎂", "count": 1, "users": [team.guest.id]}]));
    assert_eq!(
        team.owner.get_at(position, &message).await.expect(200)["reactions"],
        json!([{"emoji": "🎂", "count": 1, "users": [team.guest.id]}])
    );
    team.owner.delete(&reaction).await.expect(204);
    let people = team.owner.get(&reaction).await.expect(200);
    assert_eq!((&people["items"][0]["user_id"], people["items"].as_array().map(Vec::len)), (&json!(team.guest.id), Some(1)));
    let position = team.guest.delete(&reaction).await.position();
    assert_eq!(team.owner.get_at(position, &reaction).await.expect(200)["items"], json!([]));
    assert_eq!(team.owner.get_at(position, &message).await.expect(200)["reactions"], json!([]));
    team.guest.put_empty(&format!("{message}/reactions/a%20b")).await.expect_problem(422, "message.not_an_emoji");
    team.stranger.put_empty(&reaction).await.expect_problem(404, "message.not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_pinned_and_unpinned() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let message = team.message(&team.member, team.general, "the rules").await;
    let pin = format!("/v1/messages/{message}/pin");
    team.guest.put_empty(&pin).await.expect_problem(403, "access.forbidden");
    let position = team.member.put_empty(&pin).await.position();
    team.owner.put_empty(&pin).await.expect(200);
    let pins = team.guest.get_at(position, &team.general("/pins")).await.expect(200);
    assert_eq!(pins["items"][0]["message_id"], json!(message));
    team.member.delete(&pin).await.expect(204);
    team.member.delete(&pin).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn mentions_are_listed_while_the_user_may_read_them() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let channel = team.channel(&team.owner, "private", "secret", &[&team.member]).await;
    team.post(&team.owner, team.general, &format!("hello <@{}>", team.member.id)).await.expect(201);
    let position = team.post(&team.owner, channel, &format!("psst <@{}>", team.member.id)).await.position();
    let mentions = team.member.get_at(position, &team.path("/mentions")).await.expect(200).to_string();
    assert!(mentions.contains("hello <@") && mentions.contains("psst <@"), "{mentions}");
    team.owner.delete(&format!("/v1/channels/{channel}/members/{}", team.member.id)).await.expect(204);
    let mentions = team.member.get(&team.path("/mentions")).await.expect(200).to_string();
    assert!(mentions.contains("hello <@") && !mentions.contains("psst <@"), "{mentions}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mention_in_code_neither_mentions_nor_notifies() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let of_member = format!("<@{}>", team.member.id);
    let inline = team.message(&team.owner, team.general, &format!("write `{of_member}` to mention them")).await;
    team.message(&team.owner, team.general, &format!("```\n{of_member}\n```")).await;
    let edited = team.message(&team.owner, team.general, &of_member).await;
    let position = team.owner.patch(&format!("/v1/messages/{edited}"), json!({"content": format!("`{of_member}`")})).await.position();
    let shown = team.member.get_at(position, &format!("/v1/messages/{inline}")).await.expect(200);
    assert_eq!(shown["formatted_content"].get("mentions"), None, "{shown}");
    assert_eq!(team.member.get(&team.path("/mentions")).await.expect(200)["items"], json!([]));

    let position = team.post(&team.owner, team.general, &format!("`code`, and {of_member}")).await.position();
    let mentions = team.member.get_at(position, &team.path("/mentions")).await.expect(200);
    assert_eq!(mentions["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_thread_of_a_deleted_message_goes_on_if_it_has_answers() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let root = team.message(&team.member, team.general, "question").await;
    let alone = team.message(&team.member, team.general, "alone").await;
    let answer = |to: Uuid| json!({"content": "answer", "thread_id": to});
    let first = id(&team.owner.post(&team.general("/messages"), answer(root)).await.expect(201), "message_id");
    for message in [root, alone] {
        team.member.delete(&format!("/v1/messages/{message}")).await.expect(204);
    }
    let position = team.guest.post(&team.general("/messages"), answer(root)).await.position();
    let thread = team.guest.get_at(position, &format!("/v1/messages/{root}/thread")).await.expect(200);
    assert_eq!((&thread["root"]["is_deleted"], texts(&thread["replies"])), (&json!(true), vec!["answer", "answer"]));
    team.guest.post(&team.general("/messages"), answer(alone)).await.expect_problem(404, "message.thread_not_found");
    let elsewhere = team.channel(&team.owner, "public", "elsewhere", &[]).await;
    let wrong = team.owner.post(&format!("/v1/channels/{elsewhere}/messages"), answer(root)).await;
    wrong.expect_problem(404, "message.thread_not_found");
    team.guest.post(&team.general("/messages"), answer(first)).await.expect_problem(422, "message.thread_nested");
}
