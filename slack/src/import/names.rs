//! Turns names of the export into names that our value types accept and that are free.

use std::collections::HashSet;

use domain::ids::WorkspaceId;
use domain::text::{ChannelName, Email, InvalidText, Username};

use super::ids::Ids;
use super::sink::Sink;
use commands::event_store::{Claim, ClaimKind, StoreError};

/// The longest part of a name before the suffix that makes it unique, in characters.
const BASE_CHARS_MAX: usize = 80;
/// How many numbers are tried as a suffix of a taken name. After that, a unique mark is used.
const NUMBERS_MAX: usize = 9;

/// The rules of a kind of name.
pub(super) trait NameRules {
    /// The kind of claim.
    const KIND: ClaimKind;
    /// The name with all characters replaced that the value type refuses.
    fn clean(name: &str) -> String;
    /// The form in which two names are compared.
    fn folded(name: &str) -> String;
}

impl NameRules for Username {
    const KIND: ClaimKind = ClaimKind::Username;

    fn clean(name: &str) -> String {
        replaced(name, |c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'))
    }

    fn folded(name: &str) -> String {
        name.to_lowercase()
    }
}

impl NameRules for ChannelName {
    const KIND: ClaimKind = ClaimKind::ChannelName;

    fn clean(name: &str) -> String {
        replaced(&name.to_lowercase(), |c| (c.is_alphanumeric() && !c.is_uppercase()) || matches!(c, '.' | '_' | '-'))
    }

    fn folded(name: &str) -> String {
        name.to_lowercase()
    }
}

/// Names that this run has already given. They may not be in the log yet.
#[derive(Debug, Default)]
pub(super) struct GivenNames(HashSet<String>);

/// Returns a free name for each of `wanted` (a name, and the identifier for its mark), in order.
pub(super) async fn free<A: NameRules, S: Sink>(
    sink: &S,
    scope: Option<WorkspaceId>,
    given: &mut GivenNames,
    wanted: &[(String, &str)],
    ids: &Ids,
) -> Result<Vec<String>, StoreError> {
    let candidates = wanted.iter().map(|(name, bearer)| candidates::<A>(name, bearer, ids)).collect::<Vec<_>>();
    let taken = taken::<A, S>(sink, scope, candidates.iter().flatten()).await?;
    Ok(candidates.into_iter().map(|of_one| first_free::<A>(of_one, &taken, given)).collect())
}

fn first_free<A: NameRules>(candidates: Vec<String>, taken: &HashSet<String>, given: &mut GivenNames) -> String {
    let last = candidates.last().cloned().unwrap_or_default();
    let free = candidates.into_iter().find(|name| !taken.contains(&A::folded(name)) && !given.0.contains(&A::folded(name)));
    let name = free.unwrap_or(last);
    given.0.insert(A::folded(&name));
    name
}

async fn taken<A: NameRules, S: Sink>(
    sink: &S,
    scope: Option<WorkspaceId>,
    names: impl Iterator<Item = &String>,
) -> Result<HashSet<String>, StoreError> {
    let claim = |name: &String| match scope {
        Some(workspace_id) => Claim::in_workspace(A::KIND, workspace_id, A::folded(name)),
        None => Claim::on_server(A::KIND, A::folded(name)),
    };
    let held = sink.holders(&names.map(claim).collect::<Vec<_>>()).await?;
    Ok(held.into_keys().map(|claim| claim.value).collect())
}

/// The name, then the name with numbers, then the name with a mark computed from the identifier.
fn candidates<A: NameRules>(name: &str, bearer: &str, ids: &Ids) -> Vec<String> {
    let base = A::clean(name).chars().take(BASE_CHARS_MAX).collect::<String>();
    let base = [base, A::clean(&bearer.to_lowercase())].into_iter().find(|base| !base.is_empty()).unwrap_or_else(|| "unnamed".into());
    let numbered = (2..=NUMBERS_MAX).map(|n| format!("{base}-{n}"));
    std::iter::once(base.clone()).chain(numbered).chain([format!("{base}-{}", ids.unique_suffix(bearer))]).collect()
}

/// The name with a dash for each run of characters that are not allowed. Empty if no character is allowed.
fn replaced(name: &str, fine: impl Fn(char) -> bool) -> String {
    let name = name.trim().trim_start_matches(['@', '#']);
    if name.chars().all(&fine) {
        return name.into();
    }
    let words = name.split(|c| !fine(c)).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// An address for a user without one in the export. No mail can be sent to it (RFC 6761, section 6.4).
pub(super) fn made_up_email(slack_id: &str, ids: &Ids) -> Result<Email, InvalidText> {
    let local = Username::clean(&slack_id.to_lowercase()).chars().take(BASE_CHARS_MAX).collect::<String>();
    let local = if local.is_empty() { "user" } else { &local };
    Email::parse(&format!("{local}.{}@imported.invalid", ids.unique_suffix(slack_id)))
}

/// One line of at most this many characters, without control characters.
pub(super) fn line(text: &str, chars_max: usize) -> String {
    let plain = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(chars_max).collect::<String>().trim().to_owned()
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
        for (name, username) in [("ann.b", "ann.b"), ("Ann (B.)!", "Ann-B."), ("@ann", "ann"), ("苹果", "苹果"), ("🍎", ""), ("", "")]
        {
            assert_eq!(Username::clean(name), username);
        }
        for (name, channel) in [
            ("Orchard Team", "orchard-team"),
            ("#cider", "cider"),
            ("ГРУШИ", "груши"),
            ("a/b", "a-b"),
            ("İ", "i"),
            ("mpdm-a--b-1", "mpdm-a--b-1"),
        ] {
            assert_eq!(ChannelName::clean(name), channel);
            assert!(ChannelName::parse(channel).is_ok());
        }
    }

    #[test]
    fn every_candidate_is_accepted_by_its_type() {
        let long = "x".repeat(300);
        for name in ["", "🍎🍎", "a b", long.as_str()] {
            for candidate in candidates::<Username>(name, "U1", &ids()) {
                assert!(Username::parse(&candidate).is_ok(), "{candidate}");
            }
            for candidate in candidates::<ChannelName>(name, "C1", &ids()) {
                assert!(ChannelName::parse(&candidate).is_ok(), "{candidate}");
            }
        }
    }

    #[test]
    fn an_invented_address_is_valid_for_any_identifier() {
        for id in ["U1", "bot:Deploy Bot", "🍎", &"x".repeat(400)] {
            assert!(made_up_email(id, &ids()).is_ok(), "{id}");
        }
        assert_ne!(made_up_email("U1", &ids()), made_up_email("U2", &ids()));
    }
}
