//! The effects of events on documents.

use commands::CommandRequest;
use domain::ids::MessageId;
use domain::text::{ChannelName, DisplayName, Emoji, MessageBody};
use domain::user::Profile;
use domain::{ChannelCommand, MessageCommand, UserCommand};
use reqwest::Method;
use serde_json::json;
use tests::elastic::expect;
use tests::eventually;

use super::SearchHouse;
use crate::projections::team_of_three;
use crate::support::asked;

async fn change(search: &SearchHouse, asked: &CommandRequest, message: MessageId, command: MessageCommand) {
    search.fixture.commands().message(asked, message, command).await.expect("a change");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_and_every_member_is_a_document() {
    let search = SearchHouse::start().await;
    let (team, ann, bob) = team_of_three(&search.fixture).await;
    let message = search.fixture.post(ann, team.general, "Hello 世界, see https://example.org").await;
    let answer = search.fixture.reply(bob, team.general, message, "hi").await;
    search.settle().await;
    let document = search.message(message).await;
    assert_eq!((&document["username"], &document["channel_name"]), (&json!("ann"), &json!("general")));
    assert_eq!((&document["has_links"], &document["reply_count"]), (&json!(true), &json!(1)));
    assert_eq!(search.message(answer).await["thread_id"], json!(message.to_string()));
    search.assert_equal().await;
    let members = search.members().await;
    assert_eq!(members.iter().filter(|(id, ..)| id.starts_with(&team.workspace_id.to_string())).count(), 3);
    let versions = search.messages().await.into_iter().map(|(_, version, source)| (version, source["position"].as_i64()));
    assert!(versions.into_iter().all(|(version, position)| Some(version) >= position), "a document is at least as new as its row");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_follows_its_message_and_a_deleted_message_is_not_found() {
    let search = SearchHouse::start().await;
    let (team, ann, bob) = team_of_three(&search.fixture).await;
    let message = search.fixture.post(ann, team.general, "first").await;
    let answer = search.fixture.reply(bob, team.general, message, "an answer").await;
    let edit = MessageCommand::Edit { content: MessageBody::parse("second").expect("a text") };
    change(&search, &asked(ann), message, edit).await;
    change(&search, &asked(bob), message, MessageCommand::React { emoji: Emoji::parse("🍏").expect("an emoji") }).await;
    change(&search, &asked(team.owner), message, MessageCommand::Pin).await;
    change(&search, &asked(bob), answer, MessageCommand::Delete).await;
    search.settle().await;
    let document = search.message(message).await;
    assert_eq!((&document["content"], &document["reaction_count"], &document["is_pinned"]), (&json!("second"), &json!(1), &json!(true)));
    assert_eq!(document["reply_count"], json!(0), "the deleted answer is not counted any more");
    let gone = search.message(answer).await;
    assert_eq!((&gone["content"], &gone["is_deleted"]), (&json!(""), &json!(true)));
    search.assert_equal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_name_is_in_every_document_that_carries_it() {
    let search = SearchHouse::start().await;
    let (team, ann, _) = team_of_three(&search.fixture).await;
    let message = search.fixture.post(ann, team.general, "said before").await;
    search.settle().await;
    let name = DisplayName::parse("Ann the Second").expect("a name");
    let profile = Profile { display_name: name, avatar_url: None, title: None, phone: None, bio: None, pronouns: None };
    search.fixture.commands().user(&asked(ann), ann, UserCommand::ChangeProfile(Box::new(profile))).await.expect("a new name");
    let channel = team.channel(search.fixture.commands(), "plans", domain::channel::Kind::Public, &[ann]).await;
    let there = search.fixture.post(ann, channel, "there").await;
    let rename = ChannelCommand::Rename { name: ChannelName::parse("roadmap").expect("a name"), display_name: None };
    search.fixture.commands().channel(&asked(team.owner), channel, rename).await.expect("a new name");
    search.settle().await;
    assert_eq!(search.message(message).await["display_name"], json!("Ann the Second"));
    assert_eq!(search.message(there).await["channel_name"], json!("roadmap"));
    let members = search.members().await;
    assert!(members.iter().any(|(_, _, source)| source["display_name"] == "Ann the Second"), "{members:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_and_late_writes_change_nothing() {
    let search = SearchHouse::start().await;
    let (team, ann, _) = team_of_three(&search.fixture).await;
    let message = search.fixture.post(ann, team.general, "old").await;
    search.settle().await;
    let (_, version, old) = search.messages().await.into_iter().find(|(id, ..)| *id == message.to_string()).expect("the document");
    change(&search, &asked(ann), message, MessageCommand::Delete).await;
    search.settle().await;
    // A process that was cut off writes a document that it had read earlier.
    let index = search.indices().await.into_iter().find(|index| index.contains("messages_shared_0")).expect("an index");
    let other = index.replace("_shared_0", "_shared_1");
    for index in [index, other] {
        let path = format!("/{index}/_doc/{message}?version={version}&version_type=external_gte");
        let found = expect(Method::GET, &format!("/{index}/_doc/{message}"), None).await;
        if found["found"] == true {
            assert_eq!(expect(Method::PUT, &path, Some(&old)).await["status"], json!(409));
        }
    }
    assert_eq!(search.message(message).await["is_deleted"], json!(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_document_is_listed_with_its_reason_and_blocks_no_other() {
    let search = SearchHouse::start().await;
    let (team, ann, bob) = team_of_three(&search.fixture).await;
    let message = search.fixture.post(ann, team.general, "before").await;
    search.settle().await;
    // From now on the index accepts no document with a reaction: its mapping has a wrong field type.
    for index in search.indices().await.into_iter().filter(|index| index.contains("messages_shared")) {
        spoil(&index).await;
    }
    change(&search, &asked(bob), message, MessageCommand::React { emoji: Emoji::parse("🍏").expect("an emoji") }).await;
    let later = search.fixture.post(ann, team.general, "later").await;
    search.settle().await;
    let states = projections::states(&search.fixture.reading.pool).await.expect("states");
    let state = states.iter().find(|state| state.name == projections::SEARCH).expect("the search projection");
    assert_eq!(state.rejected.iter().map(|r| r.document_id.clone()).collect::<Vec<_>>(), [message.to_string()], "{state:?}");
    assert!(state.rejected[0].reason.contains("reactions"), "{state:?}");
    assert_eq!(search.message(later).await["content"], json!("later"));
    // Without the reaction, the index accepts the document again.
    change(&search, &asked(bob), message, MessageCommand::RemoveReaction { emoji: Emoji::parse("🍏").expect("an emoji") }).await;
    eventually("the document is accepted", async || {
        let states = projections::states(&search.fixture.reading.pool).await.expect("states");
        states.iter().all(|state| state.rejected.is_empty())
    })
    .await;
}

/// Creates the same index without documents, but with `reactions` as a date.
async fn spoil(index: &str) {
    let aliases = expect(Method::GET, &format!("/{index}/_alias"), None).await[index]["aliases"].clone();
    expect(Method::DELETE, &format!("/{index}"), None).await;
    let body = json!({"aliases": aliases, "mappings": {"properties": {"reactions": {"type": "date"}}}});
    // The new name does not match the pattern of the template.
    let made = expect(Method::PUT, &format!("/{}", index.replace("messages_", "spoilt_")), Some(&body)).await;
    assert_eq!(made["acknowledged"], json!(true), "{made}");
}
