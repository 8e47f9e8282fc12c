//! The emojis of a workspace's own, and reactions with them.

use serde_json::json;
use tests::{Team, TestApp};

/// `❤` without its variation selector, percent-encoded.
const HEART: &str = "%E2%9D%A4";
/// `❤️` with it.
const RED_HEART: &str = "%E2%9D%A4%EF%B8%8F";

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_an_emoji_is_one_reaction_which_a_search_finds() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let message = format!("/v1/messages/{}", team.message(&team.owner, team.general, "on every heart").await);
    let reaction = |emoji: &str| format!("{message}/reactions/{emoji}");
    team.owner.put_empty(&reaction(HEART)).await.expect(200);
    team.member.put_empty(&reaction(RED_HEART)).await.expect(200);
    team.guest.put_empty(&reaction(":heart:")).await.expect(200);
    let position = team.owner.put_empty(&reaction("+1::skin-tone-3")).await.position();
    let shown = team.owner.get_at(position, &message).await.expect(200)["reactions"].clone();
    let of = |emoji: &str, users: &[uuid::Uuid]| json!({"emoji": emoji, "count": users.len(), "users": users});
    assert_eq!(shown, json!([of("❤️", &[team.owner.id, team.member.id, team.guest.id]), of("👍🏼", &[team.owner.id])]));
    for query in ["has::+1:", "has:👍", "has:👍🏼", "has::+1::skin-tone-3:", "has:❤", "has:❤️", "has::heart:"] {
        let found = team.owner.get_at(position, &team.path(&format!("/search/messages?q={}", encoded(query)))).await.expect(200);
        assert_eq!(found["total"], 1, "{query}: {found}");
    }
    for query in ["has:👍🏿", "has::tada:"] {
        let found = team.owner.get_at(position, &team.path(&format!("/search/messages?q={}", encoded(query)))).await.expect(200);
        assert_eq!(found["total"], 0, "{query}: {found}");
    }
    let position = team.guest.delete(&reaction(HEART)).await.position();
    let shown = team.owner.get_at(position, &message).await.expect(200)["reactions"].clone();
    assert_eq!(shown[0], of("❤️", &[team.owner.id, team.member.id]));
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_is_an_emoji_and_not_any_text() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let message = format!("/v1/messages/{}", team.message(&team.owner, team.general, "react").await);
    for text in ["Hans%20Muster", "hans-muster", "hans@example.org", "%F0%9F%91%8D%F0%9F%91%8D", "1", "%E3%85%A4", "not-an-emoji"] {
        let refused = team.member.put_empty(&format!("{message}/reactions/{text}")).await.expect_problem(422, "message.not_an_emoji");
        assert_eq!(refused["field"], "emoji", "{text}");
    }
    for text in ["hans-muster", "Hans%20Muster"] {
        team.member.delete(&format!("{message}/reactions/{text}")).await.expect(204);
    }
    let status = json!({"text": "Away", "emoji": "Hans Muster"});
    team.member.put("/v1/users/me/custom-status", status).await.expect_problem(422, "input.invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_add_emojis_that_members_react_with_and_a_removed_one_stays_where_it_is() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    let (emojis, parrot) = (team.path("/emojis"), team.path("/emojis/:Party_Parrot:"));
    let message = format!("/v1/messages/{}", team.message(&team.owner, team.general, "a parrot").await);
    let reaction = format!("{message}/reactions/party_parrot");
    team.member.put_empty(&reaction).await.expect_problem(422, "message.not_an_emoji");
    team.member.put_empty(&parrot).await.expect_problem(403, "access.forbidden");
    for _ in 0..2 {
        team.owner.put_empty(&parrot).await.expect(204);
    }
    team.owner.put_empty(&team.path("/emojis/sourdough")).await.expect(204);
    let page = team.guest.get(&format!("{emojis}?limit=1")).await.expect(200);
    assert_eq!(page["items"], json!([{"name": "party_parrot"}]));
    let next = page["next"].as_str().expect("a next page");
    let page = team.guest.get(&format!("{emojis}?limit=1&after={next}")).await.expect(200);
    assert_eq!((&page["items"], &page["next"]), (&json!([{"name": "sourdough"}]), &json!(null)));
    team.stranger.get(&emojis).await.expect_problem(404, "workspace.not_found");
    team.member.put_empty(&reaction).await.expect(200);

    team.member.delete(&parrot).await.expect_problem(403, "access.forbidden");
    team.owner.delete(&parrot).await.expect(204);
    team.owner.delete(&parrot).await.expect(204);
    let position = team.guest.put_empty(&reaction).await.position();
    let shown = team.owner.get_at(position, &message).await.expect(200)["reactions"].clone();
    assert_eq!(
        shown,
        json!([{"emoji": "party_parrot", "count": 2, "users": [team.member.id, team.guest.id]}]),
        "a reaction that is there can be joined"
    );
    let other = team.message(&team.owner, team.general, "another").await;
    team.member.put_empty(&format!("/v1/messages/{other}/reactions/party_parrot")).await.expect_problem(422, "message.not_an_emoji");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emoji_of_a_workspace_has_a_name_that_can_be_seen_and_that_unicode_does_not_have() {
    let app = TestApp::start().await;
    let team = Team::found(&app).await;
    for name in ["tada", "%F0%9F%8E%89", "a%20b", "a.b", "%E3%85%A4", "+", "not-an-emoji"] {
        let refused = team.owner.put_empty(&team.path(&format!("/emojis/{name}"))).await.expect_problem(422, "input.invalid");
        assert_eq!(refused["field"], "emoji_name", "{name}");
    }
    let position = team.owner.put_empty(&team.path("/emojis/%E5%90%8D%E5%89%8D")).await.position();
    let audit = team.owner.get_at(position, &team.path("/audit?type=workspace.emoji_added")).await.expect(200);
    assert_eq!(audit["items"].as_array().map(Vec::len), Some(1), "{audit}");
}
