//! The forms of a payload, and how one becomes another. A payload is never parsed into a tree for this, because the
//! sealed part is first and the rest stays unchanged.

use std::borrow::Cow;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::parts::{fields, tombstone};
use super::{Keys, Place, SealError, Unsealed};

/// The field of the sealed part: `<key, 32 hexadecimal digits>.<sealed>`.
const SEALED: &str = "sealed";
/// The field that says that the personal fields are removed.
const ERASED: &str = "erased";

/// How many digits a key's identifier has.
const KEY_DIGITS: usize = 32;

/// The fields of a payload, with the personal ones separated from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitPayload<'a> {
    event_type: &'a str,
    /// The personal fields to seal, as JSON without the braces around them.
    pub personal: String,
    rest: String,
}

impl SplitPayload<'_> {
    /// The payload with the personal fields sealed under this key.
    #[must_use]
    pub fn sealed(&self, key_id: Uuid, sealed: &str) -> String {
        self.with_first(&format!(r#""{SEALED}":"{}.{sealed}""#, key_id.simple()))
    }

    /// The payload without the personal fields.
    #[must_use]
    pub fn erased(&self) -> String {
        self.with_first(&format!(r#""{ERASED}":true"#))
    }

    fn with_first(&self, first: &str) -> String {
        let comma = if self.rest.is_empty() { "" } else { "," };
        let (event_type, rest) = (self.event_type, &self.rest);
        let mut payload = String::with_capacity(event_type.len() + first.len() + rest.len() + 8);
        for part in ["{\"", event_type, "\":{", first, comma, rest, "}}"] {
            payload.push_str(part);
        }
        payload
    }
}

/// Separates the personal fields of a payload in plain form. Returns `None` if it has none.
#[must_use]
pub fn cut<'a>(event_type: &'a str, payload: &str) -> Option<SplitPayload<'a>> {
    let personal_fields = fields(event_type);
    if personal_fields.is_empty() {
        return None;
    }
    let (mut personal, mut rest) = (String::new(), String::with_capacity(payload.len()));
    for (name, field) in Fields::of(payload)? {
        let target = if personal_fields.contains(&name) { &mut personal } else { &mut rest };
        if !target.is_empty() {
            target.push(',');
        }
        target.push_str(field);
    }
    if personal.is_empty() { None } else { Some(SplitPayload { event_type, personal, rest }) }
}

/// Turns a payload of any form into the erased form. Returns `None` if it has no personal fields, or is erased already.
#[must_use]
pub fn erase(event_type: &str, payload: &str) -> Option<String> {
    match Form::of(event_type, payload) {
        Form::Plain => cut(event_type, payload).map(|cut| cut.erased()),
        Form::Sealed { rest, .. } => Some(format!(r#"{{"{event_type}":{{"{ERASED}":true{rest}"#)),
        Form::Erased { .. } => None,
    }
}

/// Whether the personal fields of a payload were removed.
#[must_use]
pub fn is_erased(event_type: &str, payload: &str) -> bool {
    matches!(Form::of(event_type, payload), Form::Erased { .. })
}

/// The key that seals a payload, if it is sealed.
#[must_use]
pub fn key_of(event_type: &str, payload: &str) -> Option<Uuid> {
    match Form::of(event_type, payload) {
        Form::Sealed { sealed, .. } => Uuid::try_parse(sealed.get(..KEY_DIGITS)?).ok(),
        Form::Plain | Form::Erased { .. } => None,
    }
}

/// The same for a payload that is parsed already.
#[must_use]
pub fn key_of_value(event_type: &str, payload: &Value) -> Option<Uuid> {
    let sealed = payload.get(event_type)?.get(SEALED)?.as_str()?;
    Uuid::try_parse(sealed.get(..KEY_DIGITS)?).ok()
}

/// The payload with its personal fields in plain form. If they were removed or their key was destroyed, tombstones
/// stand in their place.
///
/// # Errors
/// The key is not in memory, or the sealed part is not the one that was stored there.
pub fn reveal<'a>(place: &Place<'_>, payload: &'a str, keys: &dyn Keys) -> Result<Cow<'a, str>, SealError> {
    let (sealed, rest) = match Form::of(place.event_type, payload) {
        Form::Plain => return Ok(Cow::Borrowed(payload)),
        Form::Sealed { sealed, rest } => (Some(sealed), rest),
        Form::Erased { rest } => (None, rest),
    };
    let mut text = Vec::with_capacity(payload.len());
    for part in ["{\"", place.event_type, "\":{"] {
        text.extend_from_slice(part.as_bytes());
    }
    let before = text.len();
    unseal(place, sealed, keys, &mut text)?;
    let nothing_there = text.len() == before;
    text.extend_from_slice(if nothing_there { rest.strip_prefix(',').unwrap_or(rest) } else { rest }.as_bytes());
    String::from_utf8(text).map(Cow::Owned).map_err(|_| SealError::Wrong)
}

/// The same for a payload that is parsed already.
///
/// # Errors
/// The key is not in memory, or the sealed part is not the one that was stored there.
pub fn reveal_value(place: &Place<'_>, payload: &mut Value, keys: &dyn Keys) -> Result<(), SealError> {
    let Some(event) = payload.get_mut(place.event_type).and_then(Value::as_object_mut) else { return Ok(()) };
    let sealed = match (event.get(SEALED), event.get(ERASED)) {
        (Some(sealed), _) => sealed.as_str(),
        (None, Some(_)) => None,
        (None, None) => return Ok(()),
    };
    let mut text = b"{".to_vec();
    unseal(place, sealed, keys, &mut text)?;
    text.push(b'}');
    event.remove(SEALED);
    event.remove(ERASED);
    event.extend(serde_json::from_slice::<Map<String, Value>>(&text).map_err(|_| SealError::Wrong)?);
    Ok(())
}

/// Adds the personal fields, or tombstones, to the end of `text`.
pub(super) fn unseal(place: &Place<'_>, sealed: Option<&str>, keys: &dyn Keys, text: &mut Vec<u8>) -> Result<(), SealError> {
    let unsealed = match sealed {
        Some(sealed) => {
            let (key_id, sealed) = sealed.split_at_checked(KEY_DIGITS).ok_or(SealError::Wrong)?;
            let key_id = Uuid::try_parse(key_id).map_err(|_| SealError::Wrong)?;
            let unsealed = keys.unseal(key_id, place, sealed.strip_prefix('.').ok_or(SealError::Wrong)?, text);
            if unsealed == Unsealed::NotHeld {
                return Err(SealError::KeyNotHeld(key_id));
            }
            unsealed
        }
        None => Unsealed::Destroyed,
    };
    match unsealed {
        Unsealed::Yes => Ok(()),
        Unsealed::Destroyed => {
            text.extend_from_slice(tombstone(place.event_type, place.stream.id).as_bytes());
            Ok(())
        }
        Unsealed::NotHeld | Unsealed::Wrong => Err(SealError::Wrong),
    }
}

/// The form of a payload. `rest` is everything after the first field, from its comma on.
enum Form<'a> {
    Plain,
    Sealed { sealed: &'a str, rest: &'a str },
    Erased { rest: &'a str },
}

impl<'a> Form<'a> {
    /// Looks only at the first field: no event has a first field of its own with one of these names.
    fn of(event_type: &str, payload: &'a str) -> Self {
        let first = payload.get(event_type.len() + r#"{"":{"#.len()..).unwrap_or_default();
        if let Some(sealed) = first.strip_prefix(r#""sealed":""#)
            && let Some((sealed, rest)) = sealed.split_once('"')
        {
            return Self::Sealed { sealed, rest };
        }
        first.strip_prefix(r#""erased":true"#).map_or(Self::Plain, |rest| Self::Erased { rest })
    }
}

/// Iterates over the fields of the one object in a payload. Each has its name and its JSON text.
struct Fields<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Fields<'a> {
    /// The fields of `{"<name>":{…}}`.
    fn of(payload: &'a str) -> Option<Self> {
        let mut fields = Self { text: payload, at: 0 };
        fields.expect(b'{')?;
        fields.string()?;
        fields.expect(b':')?;
        fields.expect(b'{')?;
        Some(fields)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.skip_space();
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    /// The raw text between two quotes.
    fn string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let begin = self.at;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        self.text.get(begin..self.at - 1)
    }

    /// Skips a value.
    fn value(&mut self) -> Option<()> {
        self.skip_space();
        let mut depth = 0_u32;
        loop {
            match self.peek()? {
                b'"' => drop(self.string()?),
                b'{' | b'[' => (depth, self.at) = (depth + 1, self.at + 1),
                b'}' | b']' if depth == 0 => return Some(()),
                b'}' | b']' => (depth, self.at) = (depth - 1, self.at + 1),
                b',' if depth == 0 => return Some(()),
                _ => self.at += 1,
            }
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.skip_space();
        if self.peek() == Some(b',') {
            self.at += 1;
            self.skip_space();
        }
        let begin = self.at;
        let name = self.string()?;
        self.expect(b':')?;
        self.value()?;
        Some((name, self.text.get(begin..self.at)?.trim_end()))
    }
}
