//! Compares our rules for addresses with libraries for such addresses. Our rules accept more, and never less.
//! docs/decisions/0021-where-libraries-replace-our-code.md gives the reasons.

use domain::text::{AvatarUrl, Email};
use email_address::{EmailAddress, Options};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::select;
use url::Url;

/// Whether `email_address` accepts a bare address whose host has a dot.
fn is_address(text: &str) -> bool {
    let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
    EmailAddress::parse_with_options(text, options).is_ok()
}

/// Mail addresses, and texts that are almost addresses.
fn near_addresses() -> impl Strategy<Value = String> {
    let pieces = [
        "a",
        "b",
        "7",
        "é",
        "安",
        ".",
        "..",
        "-",
        "_",
        "+",
        "'",
        "\"",
        "\\",
        " ",
        "\t",
        "@",
        "@",
        "@example.org",
        "example",
        ".org",
        ".o",
        "[127.0.0.1]",
        "<",
        ">",
        "(c)",
        "xn--",
        "\u{7f}",
        "\u{a0}",
    ];
    let broken = vec(select(pieces.to_vec()), 0..9).prop_map(|pieces| pieces.concat());
    let whole = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\\.[a-zé]{1,5}){0,2}@([a-z0-9]{1,3}(-[a-z0-9]{1,3})?\\.){1,3}[a-z]{1,6}";
    let long = (1..80_usize, 1..80_usize).prop_map(|(local, label)| format!("{}@{}.org", "a".repeat(local), "b".repeat(label)));
    let quoted = "\"[a-z @.\\\\]{0,8}\"@[a-z]{1,5}\\.[a-z]{1,5}";
    prop_oneof![broken, whole, long, quoted, any::<String>()]
}

/// Web addresses, and texts that are almost addresses.
fn near_urls() -> impl Strategy<Value = String> {
    let whole = "(https?|HTTPS|ftp|data|javascript):(//)?([a-z]{1,4}(:[a-z]{0,3})?@)?[a-zé0-9.-]{1,12}(:[0-9]{1,5})?(/\\PC{0,8})*(\\?\\PC{0,8})?(#\\PC{0,8})?";
    let broken = "(https?:/{0,3})?[ -~]{0,20}";
    prop_oneof![whole, broken, any::<String>()]
}

proptest! {
    #[test]
    fn an_address_that_email_address_accepts_is_an_email(text in near_addresses()) {
        // RFC 5321 allows white space in quotes, but no mail address in use today has it.
        if is_address(&text) && !text.contains(char::is_whitespace) {
            let email = Email::parse(&text).expect("an address");
            prop_assert_eq!(email.as_str(), text);
        }
    }

    #[test]
    fn a_web_address_that_url_accepts_is_an_avatar_url(text in near_urls()) {
        let Ok(url) = Url::parse(&text) else { return Ok(()) };
        let parsed = AvatarUrl::parse(url.as_str());
        if matches!(url.scheme(), "http" | "https") {
            let parsed = parsed.expect("an address");
            prop_assert_eq!(parsed.as_str(), url.as_str());
        } else {
            prop_assert!(parsed.is_err() && AvatarUrl::parse(&text).is_err());
        }
    }
}

/// Addresses that users have signed up with, or have in their profiles, must still be accepted. The libraries would
/// refuse them.
#[test]
fn our_rules_accept_addresses_that_the_libraries_refuse() {
    let long = format!("{}@example.org", "a".repeat(65));
    for text in [long.as_str(), "a..b@example.org", ".ann@example.org", "a,b@example.org", "ann@-example-.org", "ann@example..org"] {
        assert!(Email::parse(text).is_ok() && !is_address(text), "{text}");
    }
    for text in ["https://", "https://a:b/c", "https://[", "https://exa<mple.org/a.png"] {
        assert!(AvatarUrl::parse(text).is_ok() && Url::parse(text).is_err(), "{text}");
    }
}
