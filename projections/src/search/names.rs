//! The distance between a name and a typed text, the same for every backend.

use super::words;

/// A text of this many characters may have one wrong.
const ONE_WRONG_FROM_CHARS: usize = 4;
/// A text of this many characters may have two wrong.
const TWO_WRONG_FROM_CHARS: usize = 8;

/// The names that a search finds a person by: folded words, separated by spaces. If a name has accents, its plain words
/// follow.
pub(crate) fn names_of(username: &str, display_name: &str) -> String {
    let folded = words::folded(&format!("{username} {display_name}"));
    let plain = folded.iter().map(|word| words::plain(word)).collect::<Vec<_>>();
    let has_accents = folded.iter().zip(&plain).any(|(folded, plain)| folded != plain);
    let plain = plain.iter().filter(|_| has_accents).map(AsRef::as_ref);
    folded.iter().map(String::as_str).chain(plain).collect::<Vec<_>>().join(" ")
}

/// Whether a part of the names begins with the text.
pub(crate) fn begins(sought: &str, names: &str) -> bool {
    names.match_indices(sought).any(|(at, _)| at == 0 || names[..at].ends_with(' '))
}

/// How many characters may be wrong.
pub(crate) fn wrong_max(sought: &str) -> u16 {
    match sought.chars().count() {
        ..ONE_WRONG_FROM_CHARS => 0,
        ONE_WRONG_FROM_CHARS..TWO_WRONG_FROM_CHARS => 1,
        TWO_WRONG_FROM_CHARS.. => 2,
    }
}

/// The distance between the text and the beginning of the nearest part of a name. 0 means that a part begins with the
/// text.
pub(crate) fn nearest(sought: &[char], names: &str) -> Option<u16> {
    let begins = names.match_indices(' ').map(|(at, _)| at + 1).chain([0]);
    begins.map(|at| distance_to_beginning(sought, &names[at..].chars().take(sought.len() + 2).collect::<Vec<_>>())).min()
}

/// The fewest characters to insert, leave out, replace or swap with the next one (optimal string alignment), to turn
/// the text into a beginning of the name.
fn distance_to_beginning(sought: &[char], name: &[char]) -> u16 {
    let mut rows = vec![(0..=name.len()).collect::<Vec<usize>>()];
    for (i, c) in sought.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, d) in name.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(c != d);
            let mut least = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *c == name[j - 1] && sought[i - 1] == *d {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    let least = rows.last().and_then(|row| row.iter().min()).copied().unwrap_or_default();
    u16::try_from(least).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distance(sought: &str, names: &str) -> Option<u16> {
        nearest(&sought.chars().collect::<Vec<_>>(), names)
    }

    #[test]
    fn names_are_found_by_their_beginnings_with_and_without_accents() {
        let names = names_of("ann", "Anneliese Mu\u{308}ller-Quincy");
        assert_eq!(names, "ann anneliese müller quincy ann anneliese muller quincy");
        assert!(["anneliese mü", "mul", "quincy", "muller q"].iter().all(|sought| begins(sought, &names)));
        assert!(["liese", "uller", "quincy x"].iter().all(|sought| !begins(sought, &names)));
        assert_eq!(names_of("bob", "Bob O'Neil"), "bob bob o neil");
    }

    #[test]
    fn a_prefix_is_not_an_error_and_each_error_counts_once() {
        assert_eq!(distance("quin", "ann quincy"), Some(0));
        assert_eq!(distance("qiun", "ann quincy"), Some(1), "swapped");
        assert_eq!(distance("quicy", "ann quincy"), Some(1), "left out");
        assert_eq!(distance("quuincy", "ann quincy"), Some(1), "too much");
        assert_eq!(distance("quantcy", "ann quincy"), Some(2));
        assert_eq!(distance("bertha", "ann quincy").map(|distance| distance > 2), Some(true));
    }
}
