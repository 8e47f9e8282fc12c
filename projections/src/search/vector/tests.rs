use std::collections::BTreeMap;

use super::*;

/// The lexemes of a vector, each with its positions and weights.
fn decoded(vector: &SearchVector) -> BTreeMap<String, Vec<(u16, char)>> {
    let (count, mut rest) = vector.0.split_at(4);
    let mut lexemes = BTreeMap::new();
    let mut last = String::new();
    while let Some(end) = rest.iter().position(|byte| *byte == 0) {
        let lexeme = String::from_utf8(rest[..end].to_vec()).expect("UTF-8");
        assert!(lexeme > last, "{lexeme} is in order");
        assert!(lexeme.len() <= 2_046);
        rest = &rest[end + 1..];
        let positions = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        assert!(positions <= 255);
        let (own, behind) = rest[2..].split_at(2 * positions);
        let read = |pair: &[u8]| {
            let entry = u16::from_be_bytes([pair[0], pair[1]]);
            (entry & 0x3FFF, ['D', 'C', 'B', 'A'][usize::from(entry >> 14)])
        };
        let own = own.chunks(2).map(read).collect::<Vec<_>>();
        assert!(own.is_sorted_by(|a, b| a.0 < b.0), "{lexeme}: {own:?}");
        rest = behind;
        last.clone_from(&lexeme);
        lexemes.insert(lexeme, own);
    }
    assert_eq!(i32::from_be_bytes([count[0], count[1], count[2], count[3]]), i32::try_from(lexemes.len()).expect("few"));
    lexemes
}

fn shown(text: &str, marks: &[&str]) -> Vec<String> {
    let marks = marks.iter().map(|mark| (*mark).to_owned()).collect::<Vec<_>>();
    let show = |(lexeme, positions): (String, Vec<(u16, char)>)| {
        let places = positions.iter().map(|(at, weight)| format!("{at}{weight}")).collect::<Vec<_>>();
        format!("{lexeme}:{}", places.join(","))
    };
    decoded(&index(text, &marks).vector).into_iter().map(show).collect()
}

#[test]
fn each_word_has_its_forms_at_its_position() {
    assert_eq!(shown("run Running run", &[]), ["\"running:2B", "run:1C,2A,3C"]);
    assert_eq!(shown("Müller", &[]), ["\"müller:1B", "muller:1D"]);
    assert_eq!(shown("résumé", &[]), ["\"resume:1D", "\"résumé:1B", "resum:1A"]);
    assert_eq!(shown("全文", &["#pinned", ":❤"]), ["#pinned:", ":❤:", "全:1C", "文:2C"]);
    assert_eq!(shown("", &[]), [""; 0]);
}

#[test]
fn a_text_that_a_vector_cannot_hold_exactly_keeps_its_words() {
    for text in ["的".repeat(256), "log ".repeat(256), "a".repeat(2_000), "é".repeat(1_000)] {
        let indexed = index(&text, &[]);
        assert!(decoded(&indexed.vector).contains_key(LONG) && indexed.long_words.is_some());
    }
    for text in ["的".repeat(255), "a".repeat(1_999), ('一'..).take(16_383).collect()] {
        assert_eq!(index(&text, &[]).long_words, None);
    }
    let far = ('一'..).take(16_383).chain("文 Résumés".chars()).collect::<String>();
    let indexed = index(&far, &[]);
    let lexemes = decoded(&indexed.vector);
    assert_eq!((lexemes["resum"].len(), lexemes.contains_key(LONG)), (0, true));
    let words = indexed.long_words.expect("the words of a long text");
    for sought in [
        Text::Words(vec!["文".into(), "resume".into()]),
        Text::Exact(vec!["文".into(), "résumés".into()]),
        Text::Prefix(vec!["文".into(), "résum".into()]),
    ] {
        assert!(words.contains(&part_of_long_words(&sought)), "{sought:?}");
    }
    assert!(!words.contains(&part_of_long_words(&Text::Exact(vec!["文".into(), "resumes".into()]))));
}

/// Postgres refuses a vector whose lexemes and positions have more bytes.
const VECTOR_BYTES_MAX: usize = 1 << 20;

#[test]
fn the_longest_texts_fit_into_a_vector() {
    // Each word is different. Characters that stand for phrases, letters of four bytes, and short words with accents.
    let numbered = |word: &dyn Fn(u32) -> String| {
        let (mut text, mut count) = (String::new(), 0);
        let mut chars = 0;
        while chars < 40_000 {
            let next = word(count);
            chars += next.chars().count();
            text.push_str(&next);
            count += 1;
        }
        text.chars().take(40_000).collect::<String>()
    };
    let letter = |n: u32, from: u32| char::from_u32(from + n).expect("a character");
    let short = |n: u32, from: u32| [letter(n % 80, from), letter(n / 80 % 80, from), letter(n / 6_400, from)].iter().collect::<String>();
    for text in [
        numbered(&|n| format!("{}{} ", "ﷺ".repeat(40), short(n, 0x430))),
        numbered(&|n| format!("㍿{} ", short(n, 0x3300))),
        numbered(&|n| format!("{} ", short(n, 0x3300))),
        numbered(&|n| format!("{} ", short(n, 0x1D400))),
        numbered(&|n| format!("{} ", short(n, 0x1E00))),
        numbered(&|n| format!("{}{} ", "𐓘".repeat(500), short(n, 0x1E00))),
        ('一'..='鿿').chain('가'..='힣').take(40_000).collect(),
    ] {
        let indexed = index(&text, &[]);
        // Each lexeme may be filled up to an even number of bytes.
        let bytes = decoded(&indexed.vector).iter().map(|(lexeme, at)| lexeme.len() + 1 + 2 + 2 * at.len()).sum::<usize>();
        assert!(bytes < VECTOR_BYTES_MAX, "{bytes} bytes");
    }
}
