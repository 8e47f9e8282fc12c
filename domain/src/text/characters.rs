//! Properties of single characters, from the Unicode Character Database. Not here: rules of texts.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{
    BidiClass, BinaryProperty, CanonicalCombiningClass, DefaultIgnorableCodePoint, EnumeratedProperty, ExtendedPictographic,
    GeneralCategory, GeneralCategoryGroup, PrependedConcatenationMark, Script,
};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Characters that fonts draw as nothing, although no property of them says so: blank hieroglyphs, blank Braille, a
/// musical placeholder, the filler of the Khitan script, and the mark of an object that is not there.
const BLANK: [char; 6] = ['\u{2800}', '\u{1d159}', '\u{13441}', '\u{13442}', '\u{16fe4}', '\u{fffc}'];

/// The text in Unicode's normal form C: one spelling for texts that look the same, because they are the same.
#[must_use]
pub fn nfc(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

/// The text in normal form KC: letters of other widths and styles become the plain letters.
pub(super) fn nfkc(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfkc().normalize(text)
}

pub(super) fn is<P: BinaryProperty>(c: char) -> bool {
    CodePointSetData::new::<P>().contains(c)
}

pub(super) fn of<P: EnumeratedProperty>(c: char) -> P {
    CodePointMapData::<P>::new().get(c)
}

pub(super) fn is_in(group: GeneralCategoryGroup, c: char) -> bool {
    group.contains(of::<GeneralCategory>(c))
}

pub(super) fn script(c: char) -> Script {
    of(c)
}

pub(super) fn bidi_class(c: char) -> BidiClass {
    of(c)
}

pub(super) fn is_mark(c: char) -> bool {
    is_in(GeneralCategoryGroup::Mark, c)
}

pub(super) fn is_virama(c: char) -> bool {
    of::<CanonicalCombiningClass>(c) == CanonicalCombiningClass::Virama
}

/// Whether readers see something where the character stands. White space, control characters, and characters that only
/// direct the display are not visible.
#[must_use]
pub fn is_visible(c: char) -> bool {
    !(c.is_whitespace() || c.is_control() || is_invisible(c))
}

/// Whether the character has no width and no shape, or cannot be read as text at all. White space and control
/// characters are other matters.
pub(super) fn is_invisible(c: char) -> bool {
    match of::<GeneralCategory>(c) {
        GeneralCategory::Format => !is::<PrependedConcatenationMark>(c),
        GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator | GeneralCategory::Surrogate => true,
        // New emoji are drawn by devices before this server knows them.
        GeneralCategory::Unassigned => is::<DefaultIgnorableCodePoint>(c) || is_noncharacter(c),
        _ => is::<DefaultIgnorableCodePoint>(c) || BLANK.contains(&c),
    }
}

/// Whether the character has no meaning that two computers share: it is not assigned, or for private use.
pub(super) fn is_unknown(c: char) -> bool {
    let group = GeneralCategoryGroup::Unassigned.union(GeneralCategoryGroup::PrivateUse);
    is_in(group, c) && !is::<ExtendedPictographic>(c)
}

fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}
