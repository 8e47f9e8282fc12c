//! The texts of the tour. The same number always gives the same sentence, and another number another sentence.

const WHO: [&str; 11] = [
    "the early ferry",
    "the night watch",
    "a heron",
    "the ticket printer",
    "the old bell",
    "our second engine",
    "the harbour cat",
    "a lost bicycle",
    "the tide table",
    "a crate of oranges",
    "the new deckhand",
];
const DID: [&str; 13] = [
    "was late by",
    "stood still for",
    "went over the pier for",
    "made a noise for",
    "kept the queue waiting",
    "needed a hand for",
    "looked at the weather for",
    "slept through",
    "was repaired within",
    "crossed the sound in",
    "counted passengers for",
    "smelled of tar for",
    "ran on one cylinder for",
];
const HOW_LONG: [&str; 7] =
    ["ten minutes", "an hour", "a whole shift", "half the crossing", "two tides", "a quarter of an hour", "no time at all"];
pub(super) fn sentence(n: usize) -> String {
    let one_of = |words: &[&'static str]| words[n % words.len()];
    format!("Crossing {n}: {} {} {}.", one_of(&WHO), one_of(&DID), one_of(&HOW_LONG))
}
