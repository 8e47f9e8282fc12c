//! The limits and alphabets of all value types.

use super::*;

mod names;
mod shown;

/// Checks that `parse` accepts a text of `max` characters, and refuses one of `max + 1` with the field's name.
/// `text(n)` has `n` characters.
fn limit<T: fmt::Debug>(parse: fn(&str) -> Result<T, InvalidText>, field: &str, max: usize, text: impl Fn(usize) -> String) {
    assert_eq!(text(max).chars().count(), max, "{field}");
    assert!(parse(&text(max)).is_ok(), "{field} of {max} characters");
    let refused = parse(&text(max + 1)).expect_err("too long");
    assert_eq!(refused.field, field);
    assert!(refused.reason.contains(&format!("at most {max} characters")), "{refused}");
    assert_eq!(parse("   ").expect_err("nothing").to_string(), format!("{field} may not be empty"));
}

fn letters(count: usize) -> String {
    "é".repeat(count)
}

fn ascii(count: usize) -> String {
    "a".repeat(count)
}

fn accepts<T>(parse: fn(&str) -> Result<T, InvalidText>, texts: &[&str]) {
    for text in texts {
        assert!(parse(text).is_ok(), "{text:?} should be accepted");
    }
}

fn refuses<T>(parse: fn(&str) -> Result<T, InvalidText>, texts: &[&str]) {
    for text in texts {
        assert!(parse(text).is_err(), "{text:?} should be refused");
    }
}

#[test]
fn people_have_the_limits_of_the_seed() {
    limit(Email::parse, "email", 255, |n| format!("{}@example.org", letters(n - 12)));
    limit(Username::parse, "username", 100, letters);
    limit(DisplayName::parse, "display_name", 200, letters);
    limit(Title::parse, "title", 200, letters);
    limit(Department::parse, "department", 100, letters);
    limit(Phone::parse, "phone", 50, letters);
    limit(Bio::parse, "bio", 10_000, letters);
    limit(Pronouns::parse, "pronouns", 50, letters);
    limit(Language::parse, "language", 10, ascii);
    limit(AvatarUrl::parse, "avatar_url", 2000, |n| format!("https://{}", letters(n - 8)));
    limit(StatusText::parse, "text", 200, letters);
    limit(Reason::parse, "reason", 1000, letters);
}

#[test]
fn workspaces_and_channels_have_the_limits_of_the_seed() {
    limit(WorkspaceName::parse, "name", 200, letters);
    limit(WorkspaceDomain::parse, "domain", 100, ascii);
    limit(ChannelName::parse, "name", 100, letters);
    limit(ChannelDisplayName::parse, "display_name", 200, letters);
    limit(Topic::parse, "topic", 500, letters);
    limit(Purpose::parse, "purpose", 10_000, letters);
    limit(Description::parse, "description", 10_000, letters);
}

#[test]
fn messages_have_the_limits_of_the_seed() {
    limit(MessageBody::parse, "content", 40_000, letters);
    limit(Emoji::parse, "emoji", 100, letters);
    limit(ClientMsgId::parse, "client_msg_id", 100, letters);
}

#[test]
fn white_space_around_a_text_is_taken_off() {
    assert_eq!(DisplayName::parse(" \t Ann Arbor \n").map(|n| n.to_string()), Ok("Ann Arbor".into()));
    assert_eq!(MessageBody::parse("\n a\nb ").map(|b| b.as_str().to_owned()), Ok("a\nb".into()));
}

#[test]
fn no_text_may_contain_a_nul_which_postgres_cannot_store() {
    refuses(MessageBody::parse, &["a\0b"]);
    refuses(Description::parse, &["a\0b"]);
    refuses(DisplayName::parse, &["a\0b"]);
}

#[test]
fn an_email_is_an_address() {
    accepts(Email::parse, &["ann@example.org", "a.b+c@mail.example.org", "\"a@b\"@example.org", "änn@exämple.org"]);
    refuses(
        Email::parse,
        &["ann", "@example.org", "ann@", "ann@example", "ann@.org", "ann@example.", "a nn@example.org", "ann@exa\tmple.org"],
    );
    assert_eq!(Email::parse("Ann@Example.ORG").map(|e| e.folded()), Ok("ann@example.org".into()));
}

#[test]
fn a_username_has_letters_digits_dots_underscores_and_hyphens() {
    accepts(Username::parse, &["ann", "Ann.B_c-1", "jürg", "安"]);
    refuses(Username::parse, &["ann b", "ann@b", "ann/b", "<ann>", "ann\nb"]);
    assert_eq!(Username::parse("Ann").map(|u| u.folded()), Ok("ann".into()));
}

#[test]
fn a_channel_name_has_no_upper_case_and_no_spaces() {
    accepts(ChannelName::parse, &["general", "team-a_b.2", "büro", "計画"]);
    refuses(ChannelName::parse, &["General", "a b", "#general", "a,b", "É", "a\u{301}\u{200b}"]);
}

#[test]
fn a_text_of_one_line_has_no_control_characters() {
    accepts(DisplayName::parse, &["Ann 🦀 <b>"]);
    refuses(DisplayName::parse, &["Ann\nB", "Ann\u{7}", "Ann\tB"]);
    refuses(WorkspaceName::parse, &["Ac\nme"]);
    refuses(ClientMsgId::parse, &["a\rb"]);
}

#[test]
fn a_text_of_several_lines_keeps_its_lines() {
    accepts(Topic::parse, &["a\nb"]);
    accepts(Purpose::parse, &["a\n\n\tb"]);
    accepts(Bio::parse, &["a\r\nb"]);
    accepts(Reason::parse, &["a\nb"]);
}

#[test]
fn a_message_has_a_visible_character() {
    accepts(MessageBody::parse, &["a", "👍", "```\ncode\n```"]);
    refuses(MessageBody::parse, &["", " \n ", "\u{7}\u{8}"]);
}

#[test]
fn a_domain_is_in_lower_case_with_labels() {
    accepts(WorkspaceDomain::parse, &["acme.example.org", "acme", "a-b.c1"]);
    refuses(
        WorkspaceDomain::parse,
        &["Acme.org", "acme..org", ".org", "acme.", "-a.org", "a-.org", "a b.org", "acmé.org", "https://acme.org"],
    );
}

#[test]
fn a_time_zone_and_a_language_are_names() {
    accepts(Timezone::parse, &["Europe/Zurich", "UTC", "Etc/GMT+5", "America/Port-au-Prince", "America/New_York"]);
    accepts(Timezone::parse, &["US/Eastern", "Asia/Calcutta", "GMT", "Etc/UTC", "Antarctica/Troll", "America/Argentina/Buenos_Aires"]);
    refuses(
        Timezone::parse,
        &["Europe Zurich", "UTC;", "Zürich", "Mars/Base", "Europe/Zürich", "europe/zurich", "+02:00", "CEST", "UTC+2"],
    );
    accepts(Language::parse, &["en", "de-CH", "zh-Hant"]);
    refuses(Language::parse, &["en_US", "e n", "é"]);
}

#[test]
fn a_picture_has_a_web_address() {
    accepts(AvatarUrl::parse, &["https://example.org/a.png", "http://localhost:1/a?b=c"]);
    refuses(
        AvatarUrl::parse,
        &["javascript:alert(1)", "ftp://example.org", "//example.org", "https://exa mple.org", "data:image/png;base64,"],
    );
}

#[test]
fn a_message_that_is_too_long_is_cut_for_an_import() {
    let cut = MessageBody::cut(&letters(40_001));
    assert_eq!(cut.as_str().chars().count(), 40_000);
    assert_eq!(MessageBody::cut("a\0b").as_str(), "ab");
}

#[test]
fn an_accepted_text_is_read_back_without_a_check() {
    let long = serde_json::to_string(&letters(101)).expect("JSON");
    assert!(serde_json::from_str::<Username>(&long).is_ok());
}
