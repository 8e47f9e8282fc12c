//! The results of the query language.

use serde_json::json;

use super::fixture::{Backend, Fixture, texts};
use super::over_every_backend;
use crate::support::post_at;

over_every_backend!(
    words_match_every_form_and_phrases_match_exactly,
    prefixes_match_longer_words_and_a_minus_excludes,
    texts_in_scripts_without_spaces_are_found_by_their_parts,
    each_filter_finds_its_messages,
    messages_to_a_user_are_found,
    filters_of_time_find_the_messages_of_that_time,
    the_most_relevant_message_comes_first,
    hits_have_their_channel_and_highlights,
    a_wrong_query_is_refused_with_the_place_of_the_error,
);

async fn words_match_every_form_and_phrases_match_exactly(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    for text in ["We deploy on Friday", "deployments were DEPLOYED", "He said: to be, or not to be?", "foo_bar.rs is broken"] {
        fixture.say(text).await;
    }
    assert_eq!(fixture.find("deploying").await, ["deployments were DEPLOYED", "We deploy on Friday"]);
    assert_eq!(fixture.find("DEPLOY friday").await, ["We deploy on Friday"]);
    assert_eq!(fixture.find("\"deploy on\"").await, ["We deploy on Friday"]);
    assert_eq!(fixture.find("\"deployed\"").await, ["deployments were DEPLOYED"], "a quoted word matches exactly");
    assert_eq!(fixture.find("\"on deploy\"").await, [""; 0]);
    assert_eq!(fixture.find("\"to be or not to be\"").await, ["He said: to be, or not to be?"], "no word is too common");
    assert_eq!(fixture.find("\"be to\"").await, [""; 0], "the end of a text is not next to its beginning");
    assert_eq!(fixture.find("foo_bar").await, ["foo_bar.rs is broken"]);
    assert_eq!(fixture.find("bar_foo").await, [""; 0]);
    assert_eq!(fixture.find("joined").await, [""; 0], "system messages are not found");
}

async fn prefixes_match_longer_words_and_a_minus_excludes(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    for text in ["rolling back", "a rollback", "troll", "back rolls"] {
        fixture.say(text).await;
    }
    assert_eq!(fixture.find("roll*").await, ["back rolls", "a rollback", "rolling back"]);
    assert_eq!(fixture.find("rollin*").await, ["rolling back"]);
    assert_eq!(fixture.find("roll* -rollback").await, ["back rolls", "rolling back"]);
    assert_eq!(fixture.find("back -roll*").await, [""; 0]);
    assert_eq!(fixture.find("back -\"rolling back\"").await, ["back rolls"]);
    assert_eq!(fixture.find("-back").await, ["troll", "a rollback"]);
}

async fn texts_in_scripts_without_spaces_are_found_by_their_parts(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    for text in ["全文検索をテストする", "検索結果は三件", "한국어를 배워요", "Ärger mit dem Überfluß", "漢字 and English together"]
    {
        fixture.say(text).await;
    }
    assert_eq!(fixture.find("検索").await, ["検索結果は三件", "全文検索をテストする"]);
    assert_eq!(fixture.find("索検").await, [""; 0]);
    assert_eq!(fixture.find("三").await, ["検索結果は三件"]);
    assert_eq!(fixture.find("テスト").await, ["全文検索をテストする"]);
    assert_eq!(fixture.find("한국어").await, ["한국어를 배워요"]);
    assert_eq!(fixture.find("\"漢字 and\"").await, ["漢字 and English together"]);
    assert_eq!(fixture.find("検* -結果").await, ["全文検索をテストする"]);
    assert_eq!(fixture.find("überfluß").await, ["Ärger mit dem Überfluß"]);
}

async fn each_filter_finds_its_messages(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    let team = &fixture.team;
    let random = team.channel(&team.owner, "public", "random", &[&team.member]).await;
    team.message(&team.member, random, "a link: https://example.org/page").await;
    let pinned = team.message(&team.owner, random, "the rules").await;
    let root = team.message(&team.owner, team.general, "a question").await;
    team.member.post(&team.general("/messages"), json!({"content": "an answer", "thread_id": root})).await.expect(201);
    team.member.put_empty(&format!("/v1/messages/{pinned}/pin")).await.expect(200);
    team.guest.put_empty(&format!("/v1/messages/{root}/reactions/tada")).await.expect(200);

    assert_eq!(
        fixture.find(&format!("from:@{}", team.member.username.to_uppercase())).await,
        ["an answer", "a link: https://example.org/page"]
    );
    assert_eq!(fixture.find_as(&team.member, "from:me in:general").await, ["an answer"]);
    assert_eq!(fixture.find_as(&team.member, "-from:me").await, ["a question", "the rules"]);
    assert_eq!(fixture.find("in:#random").await, ["the rules", "a link: https://example.org/page"]);
    assert_eq!(fixture.find("in:random in:general").await.len(), 4, "in one of the two channels");
    assert_eq!(fixture.find("-in:random").await, ["an answer", "a question"]);
    assert_eq!(fixture.find("has:link").await, ["a link: https://example.org/page"]);
    assert_eq!(fixture.find("example.org").await, ["a link: https://example.org/page"]);
    assert_eq!(fixture.find("has:file").await, [""; 0]);
    assert_eq!(fixture.find("has:reaction").await, ["a question"]);
    assert_eq!(fixture.find("has::tada:").await, ["a question"]);
    assert_eq!(fixture.find("has::cake:").await, [""; 0]);
    assert_eq!(fixture.find("is:pinned").await, ["the rules"]);
    assert_eq!(fixture.find("is:thread").await, ["an answer", "a question"]);
    assert_eq!(fixture.find("-is:thread -is:pinned").await, ["a link: https://example.org/page"]);
    assert_eq!(fixture.find("question is:pinned").await, [""; 0]);
}

async fn messages_to_a_user_are_found(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    let team = &fixture.team;
    let conversation = fixture.conversation(&team.owner, &[&team.member]).await;
    team.message(&team.owner, conversation, "psst").await;
    team.message(&team.member, conversation, "what?").await;
    fixture.say(&format!("hello <@{}>", team.member.id)).await;
    fixture.say("hello everybody").await;
    assert_eq!(fixture.find_as(&team.member, "to:me").await, [format!("hello <@{}>", team.member.id), "psst".into()]);
    assert_eq!(fixture.find_as(&team.member, "hello -to:me").await, ["hello everybody"]);
    let owner = &team.owner.username;
    assert_eq!(fixture.find_as(&team.member, &format!("to:@{owner}")).await, ["what?"]);
    assert_eq!(fixture.find_as(&team.member, &format!("in:@{owner}")).await, ["what?", "psst"]);
    assert_eq!(fixture.find_as(&team.guest, &format!("in:@{owner}")).await, [""; 0], "the two users have no conversation");
}

async fn filters_of_time_find_the_messages_of_that_time(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    fixture.say("now").await;
    let today = chrono::Utc::now().format("%Y-%m-%d").to_string();
    for query in
        [format!("during:{}", &today[..4]), format!("during:{}", &today[..7]), "after:2024-02-29 now".into(), "-on:2024-02-29".into()]
    {
        assert_eq!(fixture.find(&query).await, ["now"], "{query}");
    }
    for query in [
        "before:2024-03".to_owned(),
        format!("now before:{}", &today[..4]),
        format!("after:{}", &today[..4]),
        format!("-during:{}", &today[..4]),
    ] {
        assert_eq!(fixture.find(&query).await, [""; 0], "{query}");
    }
    // In Santiago, the clocks skipped midnight of this day.
    let (commands, owner) = (&fixture.app.app().commands, fixture.team.owner.id.into());
    let sent_at = "2024-09-08T04:30:00Z".parse().expect("a time");
    post_at(commands, owner, fixture.team.general.into(), sent_at, "early").await;
    fixture.team.owner.patch("/v1/users/me/preferences", json!({"timezone": "America/Santiago"})).await.expect(200);
    for (query, found) in [("on:2024-09-08", true), ("on:2024-09-07", false), ("before:2024-09-08", false), ("after:2024-09-07", true)] {
        assert_eq!(fixture.find(query).await.contains(&"early".to_owned()), found, "{query}");
    }
}

async fn the_most_relevant_message_comes_first(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    fixture.say("apple apple apple").await;
    fixture.say("apples are fruit that some people like to eat, and others do not").await;
    fixture.say("an apple").await;
    let found = fixture.search(&fixture.team.owner, "apple", "").await;
    assert_eq!((&texts(&found)[0], found["total"].as_u64()), (&"apple apple apple".to_owned(), Some(3)));
    let scores = found["items"].as_array().expect("hits").iter().map(|hit| hit["score"].as_f64().expect("a score")).collect::<Vec<_>>();
    assert!(scores.is_sorted_by(|a, b| a >= b) && scores[0] > 0.0, "{scores:?}");
}

async fn hits_have_their_channel_and_highlights(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    let message = fixture.say("<b>Running</b> & \"running\"").await;
    let found = fixture.search(&fixture.team.guest, "run", "").await;
    let hit = &found["items"][0];
    assert_eq!((&hit["message"]["message_id"], &hit["message"]["username"]), (&json!(message), &json!(fixture.team.owner.username)));
    assert_eq!(hit["channel"], json!({"channel_id": fixture.team.general, "name": "general", "channel_type": "public"}));
    let piece = |text: &str, hit: bool| json!({"text": text, "hit": hit});
    let pieces =
        json!([[piece("<b>", false), piece("Running", true), piece("</b> & \"", false), piece("running", true), piece("\"", false)]]);
    assert_eq!(hit["highlights"], pieces);
    let around = fixture.team.guest.get(&fixture.team.general(&format!("/messages?around={message}"))).await.expect(200);
    assert!(around.to_string().contains(&message.to_string()), "the history around a hit contains it");
}

async fn a_wrong_query_is_refused_with_the_place_of_the_error(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    let owner = &fixture.team.owner;
    for (query, wrong, says) in [
        ("ok \"open", "\"open", "has no end"),
        ("ok from:@nobody", "from:@nobody", "username nobody"),
        ("in:#nowhere ok", "in:#nowhere", "no channel nowhere"),
        ("in:@nobody", "in:@nobody", "username nobody"),
        ("on:2024-02-30", "on:2024-02-30", "write a day"),
        ("has:cheese", "has:cheese", "has: allows"),
        ("a b*", "b*", "before the *"),
        ("…", "…", "search is empty"),
        ("from:", "from:", "needs a value"),
    ] {
        let (detail, part) = fixture.mistake(owner, query).await;
        assert_eq!(part, wrong, "{query}");
        assert!(detail.contains(says), "{query}: {detail}");
    }
    owner.get(&fixture.team.path("/search/messages")).await.expect_problem(400, "search.query_invalid");
    fixture.ask(owner, "ok", "&order=best").await.expect_problem(400, "request.query_invalid");
    fixture.ask(owner, "ok", "&limit=0").await.expect_problem(400, "request.query_invalid");
    fixture.ask(owner, "ok", "&after=x").await.expect_problem(400, "request.cursor_invalid");
    fixture.ask(owner, "a\u{0}b", "").await.expect(200);
}
