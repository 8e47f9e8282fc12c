//! Names that our value types accept, made of names that they may refuse; and names that nobody has yet.

use std::collections::HashSet;

use domain::ids::WorkspaceId;
use domain::text::{ChannelName, Email, InvalidText, Username};

use super::ids::Ids;
use super::sink::Sink;
use commands::event_store::{Claim, ClaimKind, StoreError};

/// How many characters a name may have before what makes it unique.
const BASE_CHARS_MAX: usize = 80;
/// How many numbers are tried behind a name that is taken, before a mark that nobody else has.
const NUMBERS_MAX: usize = 9;

/// What a kind of name may be made of.
pub(super) trait Alphabet {
    /// What is claimed.
    const KIND: ClaimKind;
    /// The name with everything replaced that the value type refuses.
    fn clean(name: &str) -> String;
    /// The form in which two are compared.
    fn folded(name: &str) -> String;
}

impl Alphabet for Username {
    const KIND: ClaimKind = ClaimKind::Username;

    fn clean(name: &str) -> String {
        replaced(name, |c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'))
    }

    fn folded(name: &str) -> String {
        name.to_lowercase()
    }
}

impl Alphabet for ChannelName {
    const KIND: ClaimKind = ClaimKind::ChannelName;

    fn clean(name: &str) -> String {
        replaced(&name.to_lowercase(), |c| (c.is_alphanumeric() && !c.is_uppercase()) || matches!(c, '.' | '_' | '-'))
    }

    fn folded(name: &str) -> String {
        name.to_lowercase()
    }
}

/// Names that were given in this run: they may not be in the log yet.
#[derive(Debug, Default)]
pub(super) struct Given(HashSet<String>);

/// For each of `wanted` (a name, and the identifier that marks its bearer) a name that nobody has, in order.
pub(super) async fn free<A: Alphabet, S: Sink>(
    sink: &S,
    scope: Option<WorkspaceId>,
    given: &mut Given,
    wanted: &[(String, &str)],
    ids: &Ids,
) -> Result<Vec<String>, StoreError> {
    let candidates = wanted.iter().map(|(name, bearer)| candidates::<A>(name, bearer, ids)).collect::<Vec<_>>();
    let taken = taken::<A, S>(sink, scope, candidates.iter().flatten()).await?;
    Ok(candidates.into_iter().map(|of_one| first_free::<A>(of_one, &taken, given)).collect())
}

fn first_free<A: Alphabet>(candidates: Vec<String>, taken: &HashSet<String>, given: &mut Given) -> String {
    let last = candidates.last().cloned().unwrap_or_default();
    let free = candidates.into_iter().find(|name| !taken.contains(&A::folded(name)) && !given.0.contains(&A::folded(name)));
    let name = free.unwrap_or(last);
    given.0.insert(A::folded(&name));
    name
}

async fn taken<A: Alphabet, S: Sink>(
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

/// The name, then with numbers behind it, then with a mark that follows from the identifier.
fn candidates<A: Alphabet>(name: &str, bearer: &str, ids: &Ids) -> Vec<String> {
    let base = A::clean(name).chars().take(BASE_CHARS_MAX).collect::<String>();
    let base = [base, A::clean(&bearer.to_lowercase())].into_iter().find(|base| !base.is_empty()).unwrap_or_else(|| "unnamed".into());
    let numbered = (2..=NUMBERS_MAX).map(|n| format!("{base}-{n}"));
    std::iter::once(base.clone()).chain(numbered).chain([format!("{base}-{}", ids.mark(bearer))]).collect()
}

/// The name with a dash for each run of characters that are not fine; nothing, where no character is.
fn replaced(name: &str, fine: impl Fn(char) -> bool) -> String {
    let name = name.trim().trim_start_matches(['@', '#']);
    if name.chars().all(&fine) {
        return name.into();
    }
    let words = name.split(|c| !fine(c)).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// The address of somebody whose address the export does not tell. Nothing can be sent there (RFC 6761, section 6.4).
pub(super) fn made_up_email(slack_id: &str, ids: &Ids) -> Result<Email, InvalidText> {
    let local = Username::clean(&slack_id.to_lowercase()).chars().take(BASE_CHARS_MAX).collect::<String>();
    let local = if local.is_empty() { "user" } else { &local };
    Email::parse(&format!("{local}.{}@imported.invalid", ids.mark(slack_id)))
}

/// One line of at most so many characters, without control characters.
pub(super) fn line(text: &str, chars_max: usize) -> String {
    let plain = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(chars_max).collect::<String>().trim().to_owned()
}

/// At most so many characters, without U+0000.
pub(super) fn cut(text: &str, chars_max: usize) -> String {
    text.trim().chars().filter(|c| *c != '\0').take(chars_max).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn ids() -> Ids {
        Ids::of(WorkspaceId(Uuid::from_u128(1)))
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
    fn a_made_up_address_is_an_address_whatever_the_identifier() {
        for id in ["U1", "bot:Deploy Bot", "🍎", &"x".repeat(400)] {
            assert!(made_up_email(id, &ids()).is_ok(), "{id}");
        }
        assert_ne!(made_up_email("U1", &ids()), made_up_email("U2", &ids()));
    }
}
