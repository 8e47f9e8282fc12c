use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::*;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Colour {
    Red,
    Green,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the test needs only the schema")]
struct Inner {
    at: Option<DateTime<Utc>>,
    #[schema(minimum = 1, maximum = 9)]
    size: u8,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the test needs only the schema")]
struct Outer {
    #[schema(min_length = 1, max_length = 5)]
    name: String,
    colour: Colour,
    people: Vec<Uuid>,
    #[schema(value_type = Option<Inner>)]
    inner: Option<Value>,
    is_new: Option<bool>,
}

fn found(input: &Value) -> Vec<(String, String)> {
    let found = Shape::of_body::<Outer>().mistakes(input);
    found.into_iter().map(|Mistake { field, detail, .. }| (field, detail)).collect()
}

fn expected(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(field, detail)| ((*field).to_owned(), (*detail).to_owned())).collect()
}

#[test]
fn every_mistake_is_found_at_its_place_and_says_what_is_wanted() {
    let input = json!({
        "colour": "gren", "people": ["0199d1c6-6a6f-7c51-8d7e-0f0f6a3f9d2b", "7", 7], "nmae": "x", "is_new": "yes",
        "inner": {"at": "2026-11-30T12:00:00", "size": 10},
    });
    let identifier = "an identifier (a UUID), such as 0199d1c6-6a6f-7c51-8d7e-0f0f6a3f9d2b";
    let people = [format!("people[1] must be {identifier}, not \"7\""), format!("people[2] must be {identifier}, not 7")];
    let all = [
        ("colour", "colour must be one of red, green, not \"gren\": did you mean green?"),
        ("inner.at", "inner.at must be a time with its offset from UTC, such as 2026-11-30T12:00:00Z, not \"2026-11-30T12:00:00\""),
        ("is_new", "is_new must be true or false, not \"yes\""),
        ("nmae", "there is no property \"nmae\": did you mean name?"),
        ("people[1]", &people[0]),
        ("people[2]", &people[1]),
        ("name", "name is missing: send a text of 1 to 5 characters"),
        ("inner.size", "inner.size must be a whole number from 1 to 9"),
    ];
    assert_eq!(found(&input), expected(&all));
}

#[test]
fn an_optional_property_may_be_null_and_a_required_one_may_not() {
    let input = json!({"name": null, "colour": "red", "people": [], "inner": null, "is_new": null});
    assert_eq!(found(&input), expected(&[("name", "name must be a text of 1 to 5 characters, not null")]));
    assert_eq!(found(&json!([1])), expected(&[("", "the body must be an object, not a list")]));
}

#[test]
fn a_problem_names_a_limited_number_of_mistakes() {
    let people = vec!["x"; 1_000];
    assert_eq!(found(&json!({"name": "x", "colour": "red", "people": people})).len(), MISTAKES_MAX);
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the test needs only the parameters")]
struct Search {
    #[param(minimum = 1)]
    limit: Option<u16>,
    users: Vec<Uuid>,
    #[param(inline)]
    colour: Option<Colour>,
    from: Option<DateTime<Utc>>,
}

#[test]
fn the_texts_of_a_query_are_read_as_what_they_stand_for() {
    let shape = Shape::of_query::<Search>();
    assert!(shape.is_list("users") && !shape.is_list("limit"));
    let fields = |input: Value| shape.mistakes(&input).into_iter().map(|mistake| mistake.field).collect::<Vec<_>>();
    let user = Uuid::nil();
    assert_eq!(fields(json!({"limit": "100000", "users": [user], "colour": "red", "from": "2026-11-30T12:00:00+01:00"})), [""; 0]);
    assert_eq!(
        fields(json!({"limit": "many", "from": "today", "colour": "blue", "page": "2"})),
        ["colour", "from", "limit", "page", "users"]
    );
    for limit in ["0", "-1", "1.5", "", "+1"] {
        assert_eq!(fields(json!({"limit": limit, "users": []})), ["limit"], "{limit}");
    }
}
