//! Look-alikes: two names are twins if readers cannot tell them apart (UTS 39, "Unicode Security Mechanisms"). And the
//! names that nobody may take, nor a twin of them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::characters::{is_mark, nfc};

/// The usernames that nobody may take:
///
/// - `me` stands for the caller in the paths of the API;
/// - `here`, `channel`, `everyone` and `all` notify many people at once;
/// - `system` and `backscroll` would speak for the server;
/// - `erased` is the name of users who were erased.
const RESERVED: [&str; 8] = ["me", "here", "channel", "everyone", "all", "system", "backscroll", "erased"];

static RESERVED_KEYS: LazyLock<BTreeSet<String>> = LazyLock::new(|| RESERVED.into_iter().flat_map(keys).collect());

/// Returns the keys of a name. Two names that share a key are twins, in any case of their letters.
///
/// There are two ways from a name to its skeleton. `PAUL` with a Cyrillic `А` is a twin of `paul` when the case is
/// folded first, and `pauI`, with a large i, when it is folded afterwards. For most names both give the same key.
#[must_use]
pub fn keys(name: &str) -> BTreeSet<String> {
    BTreeSet::from([fold(&skeleton(&fold(name))), fold(&skeleton(&fold(&skeleton(name))))])
}

/// Whether nobody may take the name as a username.
pub(super) fn is_reserved(name: &str) -> bool {
    !keys(name).is_disjoint(&RESERVED_KEYS)
}

/// The skeleton of UTS 39, without marks that are drawn over themselves: a dot on an `i` or `j`, and a mark that follows
/// the same mark.
fn skeleton(text: &str) -> String {
    let (mut base, mut last) = (' ', ' ');
    let is_drawn = |c: &char| {
        let hidden = is_mark(*c) && (*c == last || (*c == '\u{307}' && matches!(base, 'i' | 'j')));
        base = if is_mark(*c) { base } else { *c };
        last = *c;
        !hidden
    };
    unicode_security::skeleton(text).filter(is_drawn).collect()
}

/// The text without case. Upper case comes first, because some letters have one upper case and two lower cases.
fn fold(text: &str) -> String {
    let folded = text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect::<String>();
    nfc(&folded).into_owned()
}
