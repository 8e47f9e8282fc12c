//! Users are found by the beginnings of their names, with small errors.

use serde_json::{Value, json};
use tests::person::Person;

use super::house::{Backend, House, escaped};
use super::over_every_backend;

over_every_backend!(people_are_found_by_prefix_and_with_small_errors, people_are_paged_by_key_and_deactivated_ones_are_not_found);

async fn named(house: &House, person: &Person, name: &str) {
    person.patch("/v1/users/me", json!({"display_name": name})).await.expect(204);
    house.settle().await;
}

async fn find(house: &House, asker: &Person, text: &str, more: &str) -> Value {
    let head = house.settle().await;
    asker.get_at(head, &house.team.path(&format!("/search/people?q={}{more}", escaped(text)))).await.expect(200)
}

async fn names(house: &House, text: &str) -> Vec<String> {
    let found = find(house, &house.team.guest, text, "").await;
    found["items"].as_array().expect("people").iter().map(|row| row["display_name"].as_str().expect("a name").to_owned()).collect()
}

async fn people_are_found_by_prefix_and_with_small_errors(backend: Backend) {
    let house = House::start(backend).await;
    named(&house, &house.team.owner, "Anneliese Müller-Quincy").await;
    named(&house, &house.team.member, "Bob O'Neil").await;
    for text in ["anne", "ANNELIESE", "mül", "quincy", "anneliese mü", "anneleise", "aneliese", "qincy", "quyncy"] {
        assert_eq!(names(&house, text).await, ["Anneliese Müller-Quincy"], "{text}");
    }
    assert_eq!(names(&house, "neil").await, ["Bob O'Neil"]);
    assert_eq!(names(&house, &house.team.member.username).await, ["Bob O'Neil"]);
    for text in ["liese", "zzzz", "…", "%", "stranger", "bib"] {
        assert_eq!(names(&house, text).await, [""; 0], "{text}");
    }
    house.team.owner.get(&house.team.path("/search/people?q=")).await.expect_problem(422, "input.invalid");
    house.team.stranger.get(&house.team.path("/search/people?q=anne")).await.expect_problem(404, "workspace.not_found");
}

async fn people_are_paged_by_key_and_deactivated_ones_are_not_found(backend: Backend) {
    let house = House::start(backend).await;
    for (person, name) in [(&house.team.owner, "Robin One"), (&house.team.member, "Robyn Two"), (&house.team.guest, "Robin Three")] {
        named(&house, person, name).await;
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = find(&house, &house.team.owner, "robin", &format!("&limit=1{after}")).await;
        seen.extend(page["items"].as_array().expect("people").iter().map(|row| row["display_name"].as_str().expect("a name").to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!((seen.len(), seen.last().map(String::as_str)), (3, Some("Robyn Two")), "{seen:?}");
    house.team.owner.put_empty(&house.team.path(&format!("/members/{}/deactivation", house.team.member.id))).await.expect(204);
    assert_eq!(
        find(&house, &house.team.owner, "robyn", "").await["items"].as_array().map(Vec::len),
        Some(2),
        "the other users match with small errors"
    );
}
