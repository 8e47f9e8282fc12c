//! Turns names of the export into names that our value types accept and that are free.

use std::collections::HashSet;

use domain::ids::WorkspaceId;
use domain::text::{ChannelName, Email, InvalidText, Username, nfc, one_line_of};

use super::ids::Ids;
use super::sink::Sink;
use commands::event_store::names as claims;
use commands::event_store::{Claim, StoreError};

/// The longest part of a name before the suffix that makes it unique, in characters.
const BASE_CHARS_MAX: usize = 80;
/// How many numbers are tried as a suffix of a taken name. After that, a unique mark is used.
const NUMBERS_MAX: usize = 9;

/// The rules of a kind of name.
pub(super) trait NameRules {
    /// The name with all characters replaced that the value type refuses.
    fn clean(name: &str) -> String;
    /// The claims of the name, or `None` if the value type refuses it.
    fn claims(scope: WorkspaceId, name: &str) -> Option<Vec<Claim>>;
}

impl NameRules for Username {
    fn clean(name: &str) -> String {
        Self::cleaned(name)
    }

    fn claims(_: WorkspaceId, name: &str) -> Option<Vec<Claim>> {
        Self::parse(name).ok().map(|name| claims::of_username(&name))
    }
}

impl NameRules for ChannelName {
    fn clean(name: &str) -> String {
        Self::cleaned(name)
    }

    fn claims(scope: WorkspaceId, name: &str) -> Option<Vec<Claim>> {
        Self::parse(name).ok().map(|name| claims::of_channel(scope, &name))
    }
}

/// The claims of the names that this run has already given. They may not be in the log yet.
#[derive(Debug, Default)]
pub(super) struct GivenNames(HashSet<Claim>);

/// Returns a free name for each of `wanted` (a name, and the identifier for its mark), in order.
pub(super) async fn free<A: NameRules, S: Sink>(
    sink: &S,
    scope: WorkspaceId,
    given: &mut GivenNames,
    wanted: &[(String, &str)],
    ids: &Ids,
) -> Result<Vec<String>, StoreError> {
    let candidates = wanted.iter().map(|(name, bearer)| candidates::<A>(scope, name, bearer, ids)).collect::<Vec<_>>();
    let asked = candidates.iter().flatten().flat_map(|(_, claims)| claims).cloned().collect::<HashSet<_>>();
    let taken = sink.holders(&asked.into_iter().collect::<Vec<_>>()).await?.into_keys().collect();
    Ok(candidates.into_iter().map(|of_one| first_free(of_one, &taken, given)).collect())
}

/// The first name of which no claim is taken. A name that looks like a taken one is not free.
fn first_free(mut candidates: Vec<(String, Vec<Claim>)>, taken: &HashSet<Claim>, given: &mut GivenNames) -> String {
    let is_free = |claims: &[Claim]| !claims.iter().any(|claim| taken.contains(claim) || given.0.contains(claim));
    let free = candidates.iter().position(|(_, claims)| is_free(claims)).unwrap_or(candidates.len().saturating_sub(1));
    if candidates.is_empty() {
        return String::new();
    }
    let (name, claims) = candidates.swap_remove(free);
    given.0.extend(claims);
    name
}

/// The name, then the name with numbers, then the name with a mark computed from the identifier: those that are
/// accepted, with their claims. A reserved name is not accepted, and gets a number. If a name is not accepted with a mark
/// either, for example because it mixes directions, the identifier takes its place.
fn candidates<A: NameRules>(scope: WorkspaceId, name: &str, bearer: &str, ids: &Ids) -> Vec<(String, Vec<Claim>)> {
    let marked = |base: &str| format!("{base}-{}", ids.unique_suffix(bearer));
    let bases = [A::clean(name), A::clean(&bearer.to_lowercase()), "unnamed".to_owned()];
    let mut bases = bases.into_iter().map(|base| base.chars().take(BASE_CHARS_MAX).collect::<String>());
    let base = bases.find(|base| !base.is_empty() && A::claims(scope, &marked(base)).is_some()).unwrap_or_default();
    let numbered = (2..=NUMBERS_MAX).map(|n| format!("{base}-{n}"));
    let names = std::iter::once(base.clone()).chain(numbered).chain([marked(&base)]);
    names.filter_map(|name| A::claims(scope, &name).map(|claims| (name, claims))).collect()
}

/// An address for a user without one in the export. No mail can be sent to it (RFC 6761, section 6.4).
pub(super) fn made_up_email(slack_id: &str, ids: &Ids) -> Result<Email, InvalidText> {
    let local = Username::clean(&slack_id.to_lowercase()).chars().take(BASE_CHARS_MAX).collect::<String>();
    let local = if local.is_empty() { "user" } else { &local };
    Email::parse(&format!("{local}.{}@imported.invalid", ids.unique_suffix(slack_id)))
}

/// The name with its characters composed (NFC).
pub(super) fn composed(name: &str) -> String {
    nfc(name).into_owned()
}

/// One line of at most this many characters, without control characters and without those that cannot be seen.
pub(super) fn line(text: &str, chars_max: usize) -> String {
    one_line_of(&text.trim().chars().take(chars_max).collect::<String>())
}

/// At most this many characters, without U+0000.
pub(super) fn cut(text: &str, chars_max: usize) -> String {
    text.trim().chars().filter(|c| *c != '\0').take(chars_max).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn ids() -> Ids {
        Ids::of(WorkspaceId(Uuid::from_u128(1)), "2026-11-30T12:00:00Z".parse().expect("a time"))
    }

    #[test]
    fn a_name_that_is_refused_becomes_one_that_is_accepted() {
        for (name, username) in
            [("ann.b", "ann.b"), ("Ann (B.)!", "Ann-B."), ("@ann", "ann"), ("苹果", "苹果"), ("हिन्दी", "हिन्दी"), ("🍎", ""), ("", "")]
        {
            assert_eq!(Username::clean(name), username);
        }
        for (name, channel) in [
            ("Orchard Team", "orchard-team"),
            ("#cider", "cider"),
            ("ГРУШИ", "груши"),
            ("हिन्दी", "हिन्दी"),
            ("ข่าว", "ข่าว"),
            ("தமிழ்", "தமிழ்"),
            ("cafe\u{301}", "café"),
            ("a/b", "a-b"),
            ("İ", "i\u{307}"),
            ("mpdm-a--b-1", "mpdm-a--b-1"),
        ] {
            assert_eq!(ChannelName::clean(name), channel);
            assert!(ChannelName::parse(channel).is_ok());
        }
    }

    #[test]
    fn every_candidate_is_accepted_by_its_type() {
        let long = "x".repeat(300);
        let scope = WorkspaceId(Uuid::from_u128(1));
        for name in ["", "🍎🍎", "a b", "here", "ann-שלום", "محمد٣", "\u{3164}", "हिन्दी", long.as_str()] {
            let (users, channels) =
                (candidates::<Username>(scope, name, "U1", &ids()), candidates::<ChannelName>(scope, name, "C1", &ids()));
            assert!(users.len() >= NUMBERS_MAX && channels.len() > NUMBERS_MAX, "{name}");
            assert!(users.iter().all(|(candidate, _)| Username::parse(candidate).is_ok()), "{name}");
            assert!(channels.iter().all(|(candidate, _)| ChannelName::parse(candidate).is_ok()), "{name}");
        }
        assert_eq!(candidates::<Username>(scope, "here", "U1", &ids())[0].0, "here-2");
        assert_eq!(candidates::<Username>(scope, "ann-שלום", "U1", &ids())[0].0, "u1");
    }

    #[test]
    fn an_invented_address_is_valid_for_any_identifier() {
        for id in ["U1", "bot:Deploy Bot", "🍎", &"x".repeat(400)] {
            assert!(made_up_email(id, &ids()).is_ok(), "{id}");
        }
        assert_ne!(made_up_email("U1", &ids()), made_up_email("U2", &ids()));
    }
}
