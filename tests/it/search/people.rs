//! Users are found by the beginnings of their names, with small errors.

use serde_json::{Value, json};
use tests::person::Person;

use super::fixture::{Backend, Fixture, escaped};
use super::over_every_backend;

over_every_backend!(people_are_found_by_prefix_and_with_small_errors, people_are_paged_by_key_and_deactivated_ones_are_not_found);

async fn named(fixture: &Fixture, person: &Person, name: &str) {
    person.patch("/v1/users/me", json!({"display_name": name})).await.expect(200);
    fixture.settle().await;
}

async fn find(fixture: &Fixture, asker: &Person, text: &str, more: &str) -> Value {
    let head = fixture.settle().await;
    asker.get_at(head, &fixture.team.path(&format!("/search/people?q={}{more}", escaped(text)))).await.expect(200)
}

async fn names(fixture: &Fixture, text: &str) -> Vec<String> {
    let found = find(fixture, &fixture.team.guest, text, "").await;
    found["items"].as_array().expect("people").iter().map(|row| row["display_name"].as_str().expect("a name").to_owned()).collect()
}

async fn people_are_found_by_prefix_and_with_small_errors(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    named(&fixture, &fixture.team.owner, "Anneliese Müller-Quincy").await;
    named(&fixture, &fixture.team.member, "Bob O'Neil").await;
    for text in ["anne", "ANNELIESE", "mül", "quincy", "anneliese mü", "anneleise", "aneliese", "qincy", "quyncy"] {
        assert_eq!(names(&fixture, text).await, ["Anneliese Müller-Quincy"], "{text}");
    }
    assert_eq!(names(&fixture, "neil").await, ["Bob O'Neil"]);
    assert_eq!(names(&fixture, &fixture.team.member.username).await, ["Bob O'Neil"]);
    for text in ["liese", "zzzz", "…", "%", "stranger", "bib"] {
        assert_eq!(names(&fixture, text).await, [""; 0], "{text}");
    }
    fixture.team.owner.get(&fixture.team.path("/search/people?q=")).await.expect_problem(422, "input.invalid");
    fixture.team.stranger.get(&fixture.team.path("/search/people?q=anne")).await.expect_problem(404, "workspace.not_found");
}

async fn people_are_paged_by_key_and_deactivated_ones_are_not_found(backend: Backend) {
    let fixture = Fixture::start(backend).await;
    for (person, name) in [(&fixture.team.owner, "Robin One"), (&fixture.team.member, "Robyn Two"), (&fixture.team.guest, "Robin Three")] {
        named(&fixture, person, name).await;
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = find(&fixture, &fixture.team.owner, "robin", &format!("&limit=1{after}")).await;
        seen.extend(page["items"].as_array().expect("people").iter().map(|row| row["display_name"].as_str().expect("a name").to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!((seen.len(), seen.last().map(String::as_str)), (3, Some("Robyn Two")), "{seen:?}");
    fixture.team.owner.put_empty(&fixture.team.path(&format!("/members/{}/deactivation", fixture.team.member.id))).await.expect(200);
    assert_eq!(
        find(&fixture, &fixture.team.owner, "robyn", "").await["items"].as_array().map(Vec::len),
        Some(2),
        "the other users match with small errors"
    );
}
