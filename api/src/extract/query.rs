//! The query string, parsed into a struct. Unknown parameters are refused, and all mistakes are named at once.
//!
//! A list may be written in three ways, which mean the same: `users=a&users=b`, `users=a,b` and `users[]=a&users[]=b`.

mod texts;

use std::borrow::Cow;
use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use serde::de::value::{Error, MapDeserializer};
use serde_json::{Map, Value};
use url::form_urlencoded;
use utoipa::IntoParams;

use self::texts::Texts;
use super::shape::Shape;
use crate::problem::Problem;
use crate::problem::mistake::Mistake;

/// The code of a query string with a mistake.
const CODE: &str = "request.query_invalid";

/// A parsed query string.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T> Deref for Query<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned + IntoParams> Query<T> {
    /// Parses a query string.
    ///
    /// # Errors
    /// The problem names every mistake.
    pub fn read(text: &str) -> Result<Self, Problem> {
        parse(text).map(Self)
    }
}

impl<T: DeserializeOwned + IntoParams> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::read(request.query_string()))
    }
}

/// The parameters in the order of their first occurrence, each with all of its texts.
type Parameters<'q> = Vec<(Cow<'q, str>, Vec<Cow<'q, str>>)>;

fn parameters(text: &str) -> Parameters<'_> {
    let mut all = Parameters::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let name = match name.strip_suffix("[]") {
            Some(list) => Cow::Owned(list.to_owned()),
            None => name,
        };
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => all.push((name, vec![value])),
        }
    }
    all
}

fn parse<T: DeserializeOwned + IntoParams>(text: &str) -> Result<T, Problem> {
    let all = parameters(text);
    let pairs = all.iter().map(|(name, values)| (name.as_ref(), Texts(values)));
    T::deserialize(MapDeserializer::<_, Error>::new(pairs)).map_err(|error| refusal::<T>(&all, &error))
}

/// Compares the parameters with their schemas, to find all mistakes.
fn refusal<T: IntoParams>(all: &Parameters<'_>, error: &Error) -> Problem {
    let shape = Shape::of_query::<T>();
    let mistake = |field: &str, detail: String| Mistake { field: field.to_owned(), code: CODE, detail, place: None };
    let mut found = Vec::new();
    let mut input = Map::new();
    for (name, values) in all {
        let value = match &values[..] {
            _ if shape.is_list(name) => texts::items(values).map(Value::from).collect(),
            [only] => Value::from(only.as_ref()),
            _ => {
                found.push(mistake(name, format!("{name} may be sent only once")));
                continue;
            }
        };
        input.insert(name.to_string(), value);
    }
    let sent_twice = found.iter().map(|mistake| mistake.field.clone()).collect::<Vec<_>>();
    found.extend(shape.mistakes(&Value::Object(input)).into_iter().filter(|mistake| !sent_twice.contains(&mistake.field)));
    if !found.iter().any(|mistake| shape.is_of_the_form(mistake)) {
        return Problem::malformed(CODE, None, format!("the query string is invalid: {error}"));
    }
    // The field is the parameter. The detail says which item of a list it is.
    let mut found = found.into_iter().map(|mut mistake| {
        mistake.field.truncate(mistake.field.find('[').unwrap_or(mistake.field.len()));
        mistake
    });
    match found.next() {
        Some(first) => Problem::malformed_in(first, found),
        None => Problem::malformed(CODE, None, format!("the query string is invalid: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::Deserialize;
    use uuid::Uuid;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize, IntoParams)]
    #[serde(deny_unknown_fields)]
    #[into_params(parameter_in = Query)]
    struct Example {
        #[serde(default)]
        users: BTreeSet<Uuid>,
        q: Option<String>,
        #[param(minimum = 1)]
        limit: Option<u16>,
        position: Option<i64>,
        is_new: Option<bool>,
    }

    fn parsed(text: &str) -> Result<Example, String> {
        parse(text).map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_list_is_read_in_all_of_its_forms() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for text in [
            format!("users={one}&users={other}"),
            format!("users={one},{other}"),
            format!("users={one}%2C{other}"),
            format!("users[]={one}&users[]={other}"),
            format!("users%5B%5D={one}&users={other}"),
        ] {
            assert_eq!(parsed(&text).expect("a list").users, BTreeSet::from([one, other]), "{text}");
        }
        assert_eq!(parsed("").expect("no list").users, BTreeSet::new());
    }

    #[test]
    fn a_text_keeps_its_commas_and_a_number_beyond_the_largest_one_is_the_largest() {
        let read = parsed("q=a,b%20c+d&limit=100000&position=-7&is_new=true").expect("a query");
        assert_eq!((read.q.as_deref(), read.limit), (Some("a,b c d"), Some(u16::MAX)));
        assert_eq!((read.position, read.is_new), (Some(-7), Some(true)));
    }

    #[test]
    fn every_mistake_is_named() {
        let refused = parse::<Example>("limti=5&limit=x&q=a&q=b&is_new=1&users=a,b").expect_err("mistakes");
        let text = format!("{refused:?}");
        for part in [
            "q may be sent only once",
            r#"there is no parameter \"limti\": did you mean limit?"#,
            r#"limit must be a whole number from 1, not \"x\""#,
            "is_new must be true or false",
            "users[0]",
            "users[1]",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
