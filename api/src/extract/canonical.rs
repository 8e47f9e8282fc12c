//! The meaning of a JSON text: one form for all texts that are the same value, whatever their white space, the order of
//! their members, and the way in which their characters and numbers are written. It is close to RFC 8785.
//!
//! It differs from RFC 8785 in one point: whole numbers keep all their digits. RFC 8785 reads every number as a double,
//! so two identifiers beyond 2^53 would be the same number.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

/// Whole numbers below this value fit in an `i64`.
const WHOLE_MAX: f64 = 9_223_372_036_854_775_808.0;

/// The canonical form of a JSON text. A text that is not JSON stays as it is.
pub(super) fn canonical(text: &[u8]) -> Vec<u8> {
    match serde_json::from_slice::<Value>(text) {
        Ok(value) => {
            let mut canonical = String::with_capacity(text.len());
            write(&value, &mut canonical);
            canonical.into_bytes()
        }
        Err(_) => text.to_vec(),
    }
}

fn write(value: &Value, to: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => to.push_str(&value.to_string()),
        Value::Number(number) => write_number(number, to),
        Value::Array(items) => {
            to.push('[');
            for (n, item) in items.iter().enumerate() {
                to.push_str(if n == 0 { "" } else { "," });
                write(item, to);
            }
            to.push(']');
        }
        Value::Object(members) => {
            to.push('{');
            // Sorted here: whether the map is sorted depends on the features of serde_json that other crates use.
            for (n, (name, member)) in members.iter().collect::<BTreeMap<_, _>>().into_iter().enumerate() {
                to.push_str(if n == 0 { "" } else { "," });
                to.push_str(&Value::String(name.clone()).to_string());
                to.push(':');
                write(member, to);
            }
            to.push('}');
        }
    }
}

/// `1`, `1.0` and `1e0` are the same number, and so are `0` and `-0.0`.
fn write_number(number: &Number, to: &mut String) {
    match number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < WHOLE_MAX) {
        #[expect(clippy::cast_possible_truncation, reason = "the number is whole and in range")]
        Some(whole) => to.push_str(&(whole as i64).to_string()),
        None => to.push_str(&number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_assert_ne, prop_oneof, proptest};

    use super::*;

    fn same(one: &str, other: &str) -> bool {
        canonical(one.as_bytes()) == canonical(other.as_bytes())
    }

    #[test]
    fn two_texts_of_one_value_are_the_same() {
        for (one, other) in [
            (r#"{"a": 1, "b": [true, null]}"#, "{\n\t\"b\":[ true,null ] , \"a\":1}"),
            (r#"{"a": {"x": 1, "y": 2}}"#, r#"{"a": {"y": 2, "x": 1}}"#),
            (r#"{"a": "é\u0041/"}"#, "{\"a\": \"\\u00e9A\\/\"}"),
            (r#"{"a": "😀"}"#, r#"{"a": "\ud83d\ude00"}"#),
            (r#"{"\u0061": 1}"#, r#"{"a": 1}"#),
            ("[1, 0, 100, 0.5, 10000000000000000]", "[1.0, -0.0, 1e2, 5E-1, 1e16]"),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn texts_of_different_values_differ() {
        for (one, other) in [
            ("[1, 2]", "[2, 1]"),
            (r#"{"a": null}"#, "{}"),
            (r#"{"a": 1}"#, r#"{"a": "1"}"#),
            (r#"{"a": true}"#, r#"{"a": 1}"#),
            (r#"{"a": "é"}"#, "{\"a\": \"e\u{301}\"}"),
            (r#"{"a": {"b": 1}}"#, r#"{"a": {}, "b": 1}"#),
            ("9007199254740992", "9007199254740993"),
            ("18446744073709551615", "18446744073709551614"),
            ("-9223372036854775808", "-9223372036854775807"),
            ("0.1", "0.10000000000000002"),
            ("[]", "{}"),
            (r#""""#, ""),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            // Numbers that serde_json reads exactly.
            any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..5).prop_map(Value::from),
                btree_map(any::<String>(), inner, 0..5).prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_form_is_the_value_and_does_not_change_again(value in any_value(), other in any_value()) {
            let form = canonical(value.to_string().as_bytes());
            prop_assert_eq!(&canonical(&form), &form);
            let pretty = serde_json::to_string_pretty(&value).expect("a text");
            prop_assert_eq!(&canonical(pretty.as_bytes()), &form);
            if canonical(other.to_string().as_bytes()) != form {
                prop_assert_ne!(&other, &value);
            }
        }

        #[test]
        fn any_bytes_have_a_form(bytes in vec(any::<u8>(), 0..200)) {
            if serde_json::from_slice::<Value>(&bytes).is_err() {
                prop_assert_eq!(canonical(&bytes), bytes);
            }
        }
    }
}
