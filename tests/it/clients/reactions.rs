//! Reactions are a list in the order of the first of each emoji, wherever a message is shown; and the list of all emojis.

use reqwest::Method;
use serde_json::{Value, json};
use tests::person::send;
use tests::{Person, Team, TestApp};

/// The emojis of a list of reactions, with their counts.
fn order(reactions: &Value) -> Vec<(String, i64)> {
    let rows = reactions.as_array().unwrap_or_else(|| panic!("no list: {reactions}")).iter();
    rows.map(|row| (row["emoji"].as_str().expect("an emoji").to_owned(), row["count"].as_i64().expect("a count"))).collect()
}

fn named(emojis: &[(&str, i64)]) -> Vec<(String, i64)> {
    emojis.iter().map(|(emoji, count)| ((*emoji).to_owned(), *count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn reactions_are_in_the_order_of_the_first_of_each_emoji_everywhere() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let message = team.message(&team.owner, team.general, "an orchard of pears").await;
    let path = format!("/v1/messages/{message}");
    let react = async |by: &Person, emoji: &str| by.put_empty(&format!("{path}/reactions/{emoji}")).await.position();
    // Neither the order of the code points, nor of the short names, nor of the lengths.
    for (by, emoji) in
        [(&team.owner, "zebra"), (&team.member, "+1"), (&team.member, "zebra"), (&team.guest, "heart"), (&team.guest, "apple")]
    {
        react(by, emoji).await;
    }
    // The first user of an emoji takes it back, and the emoji keeps its place.
    let position = team.owner.delete(&format!("{path}/reactions/zebra")).await.position();
    let expected = named(&[("🦓", 1), ("👍", 1), ("❤️", 1), ("🍎", 1)]);

    let shown = team.owner.get_at(position, &path).await.expect(200);
    assert_eq!(order(&shown["reactions"]), expected);
    assert_eq!(shown["reactions"][0], json!({"emoji": "🦓", "count": 1, "users": [team.member.id]}));
    assert_eq!(shown.get("reaction_counts"), None);
    // The second page comes from the cache.
    for _ in 0..2 {
        let page = team.owner.get_at(position, &team.general("/messages")).await.expect(200);
        let items = page["items"].as_array().expect("messages");
        let row = items.iter().find(|row| row["message_id"] == json!(message)).expect("the message");
        assert_eq!(order(&row["reactions"]), expected);
    }
    let thread = team.owner.get(&format!("{path}/thread")).await.expect(200);
    assert_eq!(order(&thread["root"]["reactions"]), expected);
    let found = team.owner.get(&team.path("/search/messages?q=has:reaction")).await.expect(200);
    assert_eq!(order(&found["items"][0]["message"]["reactions"]), expected);
    let then = team.path(&format!("/audit/aggregates/channel/{}/as-of?position={position}", team.general));
    let then = team.owner.get(&then).await.expect(200);
    let row = then["messages"].as_array().expect("messages").iter().find(|row| row["message_id"] == json!(message)).expect("the message");
    assert_eq!(order(&row["reactions"]), expected);

    // An emoji that nobody uses any more begins anew, at the end.
    team.member.delete(&format!("{path}/reactions/zebra")).await.expect(204);
    let position = react(&team.owner, "zebra").await;
    let shown = team.owner.get_at(position, &path).await.expect(200);
    assert_eq!(order(&shown["reactions"]), named(&[("👍", 1), ("❤️", 1), ("🍎", 1), ("🦓", 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_emojis_of_unicode_are_listed_for_everybody_and_kept_by_clients() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let answer = app.get("/v1/emojis").await;
    let tag = answer.header("etag").expect("a tag").to_owned();
    assert!(answer.header("cache-control").is_some_and(|value| value.contains("public")), "{:?}", answer.headers);
    let listed = answer.expect(200);
    let items = listed["items"].as_array().expect("emojis");
    let tada = items.iter().find(|row| row["emoji"] == "🎉").expect("🎉");
    assert_eq!(
        *tada,
        json!({
            "emoji": "🎉", "name": "party popper", "group": "activities", "short_names": ["tada"], "has_skin_tones": false,
        })
    );

    let again = send(team.owner.request(Method::GET, "/v1/emojis").header("If-None-Match", &tag)).await;
    assert_eq!((again.status.as_u16(), again.header("etag"), &again.body), (304, Some(tag.as_str()), &Value::Null));
    send(team.owner.request(Method::GET, "/v1/emojis").header("If-None-Match", "\"another\"")).await.expect(200);

    // The first, the last, and some between them can be reactions, in the form in which they are listed.
    let message = team.message(&team.owner, team.general, "every emoji").await;
    let some = items.iter().step_by(items.len() / 5).chain(items.last()).map(|row| row["emoji"].as_str().expect("an emoji"));
    for emoji in some {
        let encoded = emoji.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let position = team.owner.put_empty(&format!("/v1/messages/{message}/reactions/{encoded}")).await.position();
        let shown = team.owner.get_at(position, &format!("/v1/messages/{message}")).await.expect(200);
        assert_eq!(shown["reactions"].as_array().and_then(|rows| rows.last()).expect("a reaction")["emoji"], emoji);
    }
}
