//! People who were erased: every row says so, no list offers them, and nobody can write to them.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::{Team, TestApp, eventually};

fn users(page: &Value) -> BTreeSet<String> {
    page["items"].as_array().expect("rows").iter().map(|row| row["user_id"].as_str().expect("a user").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_was_erased_is_marked_and_is_in_no_list_and_cannot_be_written_to() {
    let app = TestApp::start_with(&[("BACKSCROLL_ERASURE_HOURS", "0")]).await;
    let team = Team::found(&app).await;
    let gone = &team.member;
    let message = team.message(gone, team.general, "my last words").await;
    let conversation = team.owner.post(&team.path("/channels"), json!({"type": "dm", "members": [gone.id]})).await.expect(201);
    let lists = [
        team.path("/members?limit=100"),
        team.path("/directory?limit=100"),
        team.path(&format!("/search/people?q={}", gone.username)),
        team.general("/members?limit=100"),
    ];
    for list in &lists {
        eventually("the person is listed", async || users(&team.owner.get(list).await.expect(200)).contains(&gone.id.to_string())).await;
    }
    let position = team.operator.delete_confirmed(&format!("/v1/users/{}", gone.id)).await.position();

    for list in &lists {
        let page = team.owner.get_at(position, list).await.expect(200);
        assert!(!users(&page).contains(&gone.id.to_string()), "{list}: {page}");
    }
    let rows = [
        team.owner.get(&team.path(&format!("/members/{}", gone.id))).await.expect(200),
        team.owner.get(&format!("/v1/messages/{message}")).await.expect(200),
        team.owner.get(&team.general("/messages?limit=100")).await.expect(200)["items"]
            .as_array()
            .and_then(|rows| rows.iter().find(|row| row["message_id"] == json!(message)))
            .expect("the message")
            .clone(),
    ];
    for row in rows {
        assert_eq!(row["is_erased"], true, "{row}");
        assert_eq!((&row["username"], &row["display_name"], row["user_id"].is_string()), (&Value::Null, &Value::Null, true), "{row}");
        assert!(!row.to_string().contains(&gone.username), "{row}");
    }
    // They share no workspace with anybody any more.
    team.owner.get(&format!("/v1/users/{}", gone.id)).await.expect_problem(404, "user.not_found");
    assert_eq!(team.owner.get("/v1/users/me").await.expect(200)["is_erased"], false);

    let channels = team.path("/channels");
    let dm = async |with: uuid::Uuid| team.guest.post(&channels, json!({"type": "dm", "members": [with]})).await;
    dm(gone.id).await.expect_problem(409, "user.erased");
    dm(team.owner.id).await.expect(201);
    team.owner.post(&team.general("/members"), json!({"user_id": gone.id})).await.expect_problem(409, "user.erased");
    // A conversation from before is found, and can only be read.
    let again = team.owner.post(&team.path("/channels"), json!({"type": "dm", "members": [gone.id]})).await;
    assert_eq!(again.body["channel_id"], conversation["channel_id"], "{}", again.body);
    let messages = format!("/v1/channels/{}/messages", conversation["channel_id"].as_str().expect("a channel"));
    team.owner.post(&messages, json!({"content": "hello?"})).await.expect_problem(409, "channel.conversation_read_only");
}

/// Schemas with a username that are no row about a person.
const NO_PERSON: [&str; 1] = ["RegisterUser"];

#[test]
fn every_row_about_a_person_has_the_fields_of_a_person() {
    let document = api::openapi::document().json;
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    let person = schemas["Person"]["properties"].as_object().expect("properties");
    let types = |property: &Value| {
        let kinds = property["type"].as_array().cloned().unwrap_or_else(|| vec![property["type"].clone()]);
        kinds.into_iter().filter(|kind| kind != "null").collect::<Vec<_>>()
    };
    let mut rows = 0;
    for (name, schema) in schemas {
        let Some(properties) = schema["properties"].as_object() else { continue };
        if !properties.contains_key("username") || NO_PERSON.contains(&name.as_str()) {
            continue;
        }
        rows += 1;
        for (field, expected) in person {
            let found = properties.get(field).unwrap_or_else(|| panic!("{name} has no {field}"));
            assert_eq!(types(found), types(expected), "{name}.{field}");
        }
    }
    assert!(rows >= 6, "{rows} schemas are about a person");
}
