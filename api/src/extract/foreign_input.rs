//! Any input in a request is either read, or refused as the client's mistake. Nothing panics, and nothing too long is
//! kept.

use actix_web::ResponseError;
use actix_web::http::header::{AUTHORIZATION, HeaderValue, USER_AGENT};
use actix_web::test::TestRequest;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeZone, Utc};
use domain::ids::UserId;
use projections::relational::messages::Cursor as Place;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use state::token::Token;
use uuid::Uuid;

use super::{Cursor, IDEMPOTENCY_KEY, Key, MIN_POSITION, USER_AGENT_CHARS_MAX, client_ip, read_place, user_agent};

/// The bytes that a header can carry: visible characters, tabs, and bytes beyond ASCII.
fn header_value() -> impl Strategy<Value = HeaderValue> {
    let byte = prop_oneof![8 => 0x20..=0x7e_u8, 1 => Just(b'\t'), 2 => 0x80..=0xff_u8];
    vec(byte, 0..600).prop_filter_map("no header", |bytes| HeaderValue::from_bytes(&bytes).ok())
}

/// A header that is almost valid.
fn nearly(right: &'static str) -> impl Strategy<Value = HeaderValue> {
    (0..=right.len(), vec(0x20..=0x7e_u8, 0..3), 0..=right.len()).prop_filter_map("no header", |(before, between, after)| {
        let bytes = [&right.as_bytes()[..before], &between, &right.as_bytes()[after..]].concat();
        HeaderValue::from_bytes(&bytes).ok()
    })
}

fn moment() -> impl Strategy<Value = DateTime<Utc>> {
    any::<i64>().prop_filter_map("no moment", |micros| Utc.timestamp_micros(micros).single())
}

proptest! {
    #[test]
    fn a_cursor_is_read_back_as_it_was_sent(number: i64, user: u128, at in moment(), message: u128) {
        prop_assert_eq!(Cursor(number).to_string().parse(), Ok(Cursor(number)));
        let user = Cursor(UserId(Uuid::from_u128(user)));
        prop_assert_eq!(user.to_string().parse(), Ok(user));
        let place = Cursor(Place { created_at: at, message_id: Uuid::from_u128(message) });
        let read = place.to_string().parse::<Cursor<Place>>().map(|place| place.0);
        prop_assert!(read.is_ok_and(|read| (read.created_at, read.message_id) == (at, place.0.message_id)));
    }

    #[test]
    fn a_changed_cursor_is_a_cursor_or_the_clients_mistake(text in ".{0,200}", bytes in vec(any::<u8>(), 0..200), at in moment()) {
        let json = serde_json::json!({"created_at": at, "message_id": Uuid::nil()}).to_string();
        for text in [text, BASE64_URL_SAFE_NO_PAD.encode(bytes), BASE64_URL_SAFE_NO_PAD.encode(json)] {
            match read_place("after", Some(&text)) {
                Ok(place) => prop_assert!(place.is_some_and(|place| reject_unless_moment(place.created_at))),
                Err(problem) => prop_assert_eq!(problem.status_code(), 400),
            }
            if let Err(problem) = Cursor::<i64>::read("after", Some(&text)) {
                prop_assert_eq!(problem.status_code(), 400);
            }
        }
    }

    #[test]
    fn a_token_has_one_form(text in "(bs_|bsi_)?[A-Za-z0-9_=.-]{0,60}", secret: u128) {
        for token in [Token::parse_session(&text), Token::parse_invitation(&text)].into_iter().flatten() {
            prop_assert_eq!(token.expose(), &text);
            prop_assert!(text.len() <= 47);
        }
        let key = crate::config::MasterKey::from([7; 32]);
        let given = Token::of_invitation(&key, Uuid::from_u128(secret));
        prop_assert!(Token::parse_invitation(given.expose()).is_some_and(|parsed| parsed == given));
        prop_assert!(Token::parse_session(given.expose()).is_none());
    }

    #[test]
    fn any_authorization_header_is_a_token_or_401(value in header_value(), near in nearly("Bearer bs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")) {
        for value in [value, near] {
            let request = TestRequest::default().insert_header((AUTHORIZATION, value)).to_http_request();
            if let Err(problem) = super::credential::credential_of(&request, super::credential::Guard::Changes) {
                prop_assert_eq!(problem.status_code(), 401);
            }
        }
    }

    #[test]
    fn any_key_and_any_position_are_read_or_400(value in header_value(), near in nearly("9223372036854775807")) {
        for value in [value, near] {
            let request = TestRequest::default().insert_header((IDEMPOTENCY_KEY, value.clone())).insert_header((MIN_POSITION, value));
            let request = request.to_http_request();
            match Key::of(&request) {
                Ok(key) => prop_assert!(key.sent().is_some_and(|key| (1..=200).contains(&key.as_str().len()))),
                Err(problem) => prop_assert_eq!(problem.status_code(), 400),
            }
            match super::reading::min_position(&request) {
                Ok(position) => prop_assert!(position.is_some_and(|position| position >= 0)),
                Err(problem) => prop_assert_eq!(problem.status_code(), 400),
            }
        }
    }

    #[test]
    fn any_user_agent_is_kept_short_and_any_forwarded_address_is_parsed_or_ignored(agent in header_value(), forwarded in vec(header_value(), 0..4), near in nearly("203.0.113.9, ::1, [2001:db8::1]:80, unknown")) {
        let mut request = TestRequest::default().insert_header((USER_AGENT, agent)).peer_addr(([127, 0, 0, 1], 1).into());
        for value in forwarded.into_iter().chain([near]) {
            request = request.append_header(("X-Forwarded-For", value));
        }
        let request = request.to_http_request();
        prop_assert!(user_agent(request.headers()).is_none_or(|agent| agent.chars().count() <= USER_AGENT_CHARS_MAX));
        let trusted = ["0.0.0.0/0", "::/0"].map(|network| network.parse().expect("a network"));
        for trusted in [&trusted[..], &[]] {
            prop_assert!(client_ip(&request, trusted).is_some());
        }
    }
}

fn reject_unless_moment(moment: DateTime<Utc>) -> bool {
    super::reject_unless_moment("after", moment).is_ok()
}

/// A regression test: these moments once failed.
#[test]
fn moments_before_the_calendar_of_postgres_are_the_clients_mistake() {
    for year in ["-262143", "-4713", "-0001", "+10000", "+262142"] {
        let json = serde_json::json!({"created_at": format!("{year}-01-01T00:00:00Z"), "message_id": Uuid::nil()}).to_string();
        let problem = read_place("before", Some(&BASE64_URL_SAFE_NO_PAD.encode(json))).expect_err("not a moment that the server takes");
        assert_eq!(problem.status_code(), 400, "{year}");
    }
}
