//! The identifiers of users and channels: the `IdentifierClass` of PRECIS (RFC 8264) and what RFC 8265 adds for
//! usernames. Of ASCII, only letters, digits, `.`, `_` and `-` are allowed here.
//!
//! Where PRECIS refuses a character that only has another width or style, it is mapped to the plain letter, so that
//! such a name can be compared. docs/decisions/0029-names-that-can-be-told-apart.md gives the reasons.

use icu_properties::props::{
    BidiClass, GeneralCategoryGroup, HangulSyllableType, JoinControl, JoiningType, PrependedConcatenationMark, Script,
};

use super::characters::{bidi_class, is, is_in, is_invisible, is_mark, is_unknown, is_virama, nfc, nfkc, of, script};

/// Letters of living scripts that have a compatible spelling in other characters. PRECIS refuses them for that, but
/// people write their languages with them: Thai and Lao "am", two Lao and one Armenian ligature, and the single letters
/// of Korean.
fn is_spelled_so(c: char) -> bool {
    matches!(c, '\u{e33}' | '\u{eb3}' | '\u{edc}' | '\u{edd}' | '\u{587}' | '\u{3131}'..='\u{3163}' | '\u{3165}'..='\u{318e}')
}

/// The form that an identifier is kept in: normal form C, with plain letters in place of those of other widths and
/// styles.
pub(super) fn plain(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let composed = nfc(text);
    let mut plain = String::with_capacity(composed.len());
    let mut rest = composed.as_ref();
    while let Some((at, kept)) = rest.char_indices().find(|(_, c)| is_spelled_so(*c)) {
        plain.push_str(&nfkc(&rest[..at]));
        plain.push(kept);
        rest = &rest[at + kept.len_utf8()..];
    }
    plain.push_str(&nfkc(rest));
    nfc(&plain).into_owned()
}

/// What is wrong with an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A character that no identifier may have, or not in this place.
    Character,
    /// The text mixes directions, so that its order on the screen is not its order in the text (RFC 5893).
    Direction,
}

/// Checks every character in its place.
pub(super) fn check(chars: &[char]) -> Result<(), Fault> {
    if (0..chars.len()).all(|at| is_allowed(chars, at)) { Ok(()) } else { Err(Fault::Character) }
}

/// Whether the character at this place may stand in an identifier: `PVALID` of RFC 8264, section 8, or `CONTEXTJ` and
/// `CONTEXTO` with their rules (RFC 5892, appendix A).
pub(super) fn is_allowed(chars: &[char], at: usize) -> bool {
    let c = chars[at];
    match c {
        '.' | '_' | '-' => true,
        _ if c.is_ascii() => c.is_ascii_alphanumeric(),
        'ß' | 'ς' | '\u{6fd}' | '\u{6fe}' | '\u{f0b}' | '\u{3007}' => true,
        '\u{640}' | '\u{7fa}' | '\u{302e}' | '\u{302f}' | '\u{3031}'..='\u{3035}' | '\u{303b}' => false,
        '\u{b7}' | '\u{375}' | '\u{5f3}' | '\u{5f4}' | '\u{30fb}' | '\u{660}'..='\u{669}' | '\u{6f0}'..='\u{6f9}' => fits(chars, at),
        _ if is::<JoinControl>(c) => joins(chars, at),
        _ if is_invisible(c) || is_unknown(c) || is::<PrependedConcatenationMark>(c) || is_old_jamo(c) => false,
        _ if is_mark(c) => is_letter_or_digit(c) && has_base(chars, at),
        _ => is_letter_or_digit(c) && (is_spelled_so(c) || !has_compatible_spelling(c)),
    }
}

/// `LetterDigits` of RFC 8264, section 9.1: letters, marks that belong to letters, and decimal digits.
fn is_letter_or_digit(c: char) -> bool {
    const LETTERS: GeneralCategoryGroup = GeneralCategoryGroup::UppercaseLetter
        .union(GeneralCategoryGroup::LowercaseLetter)
        .union(GeneralCategoryGroup::OtherLetter)
        .union(GeneralCategoryGroup::ModifierLetter)
        .union(GeneralCategoryGroup::DecimalNumber)
        .union(GeneralCategoryGroup::NonspacingMark)
        .union(GeneralCategoryGroup::SpacingMark);
    is_in(LETTERS, c)
}

fn is_old_jamo(c: char) -> bool {
    let kind = of::<HangulSyllableType>(c);
    [HangulSyllableType::LeadingJamo, HangulSyllableType::VowelJamo, HangulSyllableType::TrailingJamo].contains(&kind)
}

fn has_compatible_spelling(c: char) -> bool {
    let mut bytes = [0; 4];
    let alone: &str = c.encode_utf8(&mut bytes);
    nfkc(alone) != alone
}

/// Whether a mark follows a letter or a digit that it can belong to. A mark of another script is drawn on nothing, or
/// not at all.
fn has_base(chars: &[char], at: usize) -> bool {
    let base = chars[..at].iter().rev().find(|c| !is_mark(**c) && !is::<JoinControl>(**c));
    let own = script(chars[at]);
    let any = [Script::Inherited, Script::Common].contains(&own);
    base.is_some_and(|base| is_letter_or_digit(*base) && (any || script(*base) == own))
}

/// `CONTEXTO`: the rules A.3 to A.9 of RFC 5892.
fn fits(chars: &[char], at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| chars[before]);
    let after = chars.get(at + 1).copied();
    match chars[at] {
        '\u{b7}' => before == Some('l') && after == Some('l'),
        '\u{375}' => after.is_some_and(|c| script(c) == Script::Greek),
        '\u{5f3}' | '\u{5f4}' => before.is_some_and(|c| script(c) == Script::Hebrew),
        '\u{30fb}' => chars.iter().any(|c| [Script::Hiragana, Script::Katakana, Script::Han].contains(&script(*c))),
        '\u{660}'..='\u{669}' => !chars.iter().any(|c| matches!(c, '\u{6f0}'..='\u{6f9}')),
        _ => !chars.iter().any(|c| matches!(c, '\u{660}'..='\u{669}')),
    }
}

/// `CONTEXTJ`: the rules A.1 and A.2 of RFC 5892. A joiner or non-joiner may stand where it changes how letters are
/// drawn.
pub(super) fn joins(chars: &[char], at: usize) -> bool {
    let after_virama = at.checked_sub(1).is_some_and(|before| is_virama(chars[before]));
    after_virama || (chars[at] == '\u{200c}' && separates_joined(chars, at))
}

fn separates_joined(chars: &[char], at: usize) -> bool {
    let kind = |c: &char| of::<JoiningType>(*c);
    let before = chars[..at].iter().rev().map(kind).find(|kind| *kind != JoiningType::Transparent);
    let after = chars[at + 1..].iter().map(kind).find(|kind| *kind != JoiningType::Transparent);
    before.is_some_and(|kind| [JoiningType::LeftJoining, JoiningType::DualJoining].contains(&kind))
        && after.is_some_and(|kind| [JoiningType::RightJoining, JoiningType::DualJoining].contains(&kind))
}

/// The rule for directions of RFC 5893, section 2. A text without characters from right to left obeys it.
pub(super) fn check_direction(chars: &[char]) -> Result<(), Fault> {
    use BidiClass as B;
    const RIGHT: [BidiClass; 3] = [B::RightToLeft, B::ArabicLetter, B::ArabicNumber];
    const NEUTRAL: [BidiClass; 7] = [
        B::EuropeanNumber,
        B::EuropeanSeparator,
        B::CommonSeparator,
        B::EuropeanTerminator,
        B::OtherNeutral,
        B::BoundaryNeutral,
        B::NonspacingMark,
    ];
    let classes = chars.iter().map(|c| bidi_class(*c)).collect::<Vec<_>>();
    if !classes.iter().any(|class| RIGHT.contains(class)) {
        return Ok(());
    }
    let last = classes.iter().rev().find(|class| **class != B::NonspacingMark);
    let fine = classes.first().is_some_and(|first| [B::RightToLeft, B::ArabicLetter].contains(first))
        && classes.iter().all(|class| RIGHT.contains(class) || NEUTRAL.contains(class))
        && last.is_some_and(|last| RIGHT.contains(last) || *last == B::EuropeanNumber)
        && !(classes.contains(&B::EuropeanNumber) && classes.contains(&B::ArabicNumber));
    if fine { Ok(()) } else { Err(Fault::Direction) }
}

/// The text with a hyphen in place of each run of characters that no identifier may have. It may be empty.
pub(super) fn cleaned(text: &str) -> String {
    let mut cleaned = plain(text.trim().trim_start_matches(['@', '#']));
    // Without its neighbour, a character may lose its place too. Each round takes at least one, and three are enough
    // for every text that is no attack.
    for _ in 0..3 {
        let chars = cleaned.chars().collect::<Vec<_>>();
        if check(&chars).is_ok() {
            return cleaned;
        }
        let fine = |at: usize| if is_allowed(&chars, at) { chars[at] } else { ' ' };
        let words = (0..chars.len()).map(fine).collect::<String>();
        cleaned = words.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
    }
    cleaned.chars().filter(char::is_ascii).collect()
}
