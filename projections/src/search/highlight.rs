//! Marks the parts of a text that match: passages around them, as pieces that say whether they are a hit. The result is
//! never HTML: the client decides how to show it, and text of a message cannot be taken for our markup.

use std::ops::Range;

use serde::Serialize;
use utoipa::ToSchema;

use super::words::{Word, plain, stem_of, words};
use super::{Requirement, Text, TextTerm};

/// The most passages of a text.
const PASSAGES_MAX: usize = 3;
/// The most bytes of text before and after a hit.
const CONTEXT_BYTES: usize = 80;

/// A piece of a passage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fragment {
    /// The text, as in the message.
    pub text: String,
    /// Whether this piece matches the search.
    pub hit: bool,
}

/// The matching passages of a text, first to last. Empty if the search has no words.
#[must_use]
pub fn highlight(text: &str, terms: &[TextTerm]) -> Vec<Vec<Fragment>> {
    let mut hits = hits(text, terms).into_iter().peekable();
    let mut passages = Vec::new();
    while let Some(first) = hits.next() {
        let mut passage = vec![first];
        while let Some(next) = hits.next_if(|next| passage.last().is_some_and(|last| next.start <= last.end + CONTEXT_BYTES)) {
            passage.push(next);
        }
        passages.push(cut(text, &passage));
        if passages.len() == PASSAGES_MAX {
            break;
        }
    }
    passages
}

/// The matching parts of the text, in order, without overlaps.
fn hits(text: &str, terms: &[TextTerm]) -> Vec<Range<usize>> {
    let words = words(text);
    let mut hits = Vec::new();
    for term in terms.iter().filter(|term| term.wanted == Requirement::Must) {
        let sought = match &term.text {
            Text::Words(words) => words.iter().map(|word| stem_of(word)).collect(),
            Text::Exact(words) => words.clone(),
            Text::Prefix(words) => words.iter().map(|word| plain(word).into_owned()).collect(),
        };
        for row in words.windows(sought.len().max(1)) {
            if row.len() == sought.len() && is_found(row, &term.text, &sought) {
                hits.extend(row.first().zip(row.last()).map(|(first, last)| first.from..last.to));
            }
        }
    }
    hits.sort_unstable_by_key(|hit| (hit.start, hit.end));
    hits.dedup_by(|next, kept| {
        let overlaps = next.start < kept.end;
        kept.end = if overlaps { kept.end.max(next.end) } else { kept.end };
        overlaps
    });
    hits
}

/// Whether words match a term: by their stems, exactly, or by the beginning of their plain forms.
fn is_found(row: &[Word], text: &Text, sought: &[String]) -> bool {
    match text {
        Text::Words(_) => row.iter().zip(sought).all(|(word, sought)| has_stem(&word.folded, sought)),
        Text::Exact(_) => row.iter().zip(sought).all(|(word, sought)| word.folded == *sought),
        Text::Prefix(_) => {
            let (last, before) = (row.len() - 1, row.iter().zip(sought));
            before.enumerate().all(|(n, (word, sought))| {
                let plain = plain(&word.folded);
                plain == *sought || (n == last && plain.starts_with(sought.as_str()))
            })
        }
    }
}

/// The stem of a word of English letters has the same first letter. So few words of a text must be stemmed.
fn has_stem(word: &str, sought: &str) -> bool {
    (!word.is_ascii() || word.as_bytes().first() == sought.as_bytes().first()) && stem_of(word) == sought
}

/// A passage: its hits and the text around them, cut between characters.
fn cut(text: &str, hits: &[Range<usize>]) -> Vec<Fragment> {
    let (begin, end) = (hits.first().map_or(0, |hit| hit.start), hits.last().map_or(0, |hit| hit.end));
    let from = text.ceil_char_boundary(begin.saturating_sub(CONTEXT_BYTES));
    let to = text.floor_char_boundary((end + CONTEXT_BYTES).min(text.len()));
    let (mut at, mut pieces) = (from, Vec::new());
    for hit in hits {
        pieces.extend(piece(&text[at..hit.start], false));
        pieces.extend(piece(&text[hit.clone()], true));
        at = hit.end;
    }
    pieces.extend(piece(&text[at..to], false));
    pieces
}

fn piece(text: &str, hit: bool) -> Option<Fragment> {
    (!text.is_empty()).then(|| Fragment { text: text.to_owned(), hit })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::search::words::folded;

    fn sought(text: Text) -> Vec<TextTerm> {
        vec![TextTerm { text, wanted: Requirement::Must }]
    }

    fn own(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn marked(text: &str, terms: &[TextTerm]) -> Vec<String> {
        let mark = |piece: Fragment| if piece.hit { format!("[{}]", piece.text) } else { piece.text };
        highlight(text, terms).into_iter().map(|passage| passage.into_iter().map(mark).collect()).collect()
    }

    #[test]
    fn words_are_marked_in_every_form_and_phrases_in_their_exact_form() {
        assert_eq!(marked("He runs. Running!", &sought(Text::Words(own(&["run"])))), ["He [runs]. [Running]!"]);
        assert_eq!(marked("to run, to runs", &sought(Text::Exact(own(&["to", "run"])))), ["[to run], to runs"]);
        assert_eq!(marked("Rollout rolls", &sought(Text::Prefix(own(&["rollo"])))), ["[Rollout] rolls"]);
        assert_eq!(marked("A RÉSUMÉ", &sought(Text::Words(own(&["resume"])))), ["A [RÉSUMÉ]"]);
        assert_eq!(marked("Müller", &sought(Text::Prefix(own(&["mul"])))), ["[Müller]"]);
        assert_eq!(marked("全文検索です", &sought(Text::Words(own(&["検", "索"])))), ["全文[検索]です"]);
        assert_eq!(marked("<b>bold</b>", &sought(Text::Words(own(&["b"])))), ["<[b]>bold</[b]>"]);
    }

    #[test]
    fn terms_that_must_not_match_are_not_marked() {
        let not = TextTerm { text: Text::Words(own(&["run"])), wanted: Requirement::MustNot };
        assert!(highlight("run", &[not]).is_empty());
    }

    #[test]
    fn a_long_text_is_cut_to_passages() {
        let text = format!("{0} needle {0} needle {0} needle {0} needle {0}", "hay ".repeat(100));
        let passages = marked(&text, &sought(Text::Words(own(&["needle"]))));
        assert_eq!(passages.len(), PASSAGES_MAX);
        assert!(passages.iter().all(|passage| passage.len() <= 2 * CONTEXT_BYTES + "[needle]".len()));
    }

    proptest! {
        #[test]
        fn a_stem_has_the_first_letter_of_its_word(word in r"[a-z]{1,3}(y|i|e|s|ing|ies|ed|ly|ness|[a-z]{0,6})|[a-zé全0-9]{1,8}") {
            if word.is_ascii() {
                prop_assert_eq!(stem_of(&word).chars().next(), word.chars().next());
            }
            prop_assert!(has_stem(&word, &stem_of(&word)));
        }

        #[test]
        fn the_pieces_of_any_text_join_to_the_text(text in r"(ab|[a-c]|é|全|\PC| ){0,60}") {
            for passage in highlight(&text, &sought(Text::Exact(own(&["ab"])))) {
                let whole = passage.iter().map(|piece| piece.text.as_str()).collect::<String>();
                prop_assert!(text.contains(&whole));
                prop_assert!(passage.iter().filter(|piece| piece.hit).all(|piece| folded(&piece.text) == ["ab"]));
            }
        }
    }
}
