//! Values in Redis that only this installation can have written.
//!
//! Other programs may write to Redis. So each of these values has a tag under a key of the server, which covers the name
//! of the value's Redis key and all its content. A value that was forged, changed, or moved to another key is ignored.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use keyring::MacKey;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The stored text: `tag.json`, with the tag in base64.
pub(crate) fn written(mac: &MacKey, key: &str, value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).unwrap_or_default();
    let tag = mac.tag(&[key.as_bytes(), json.as_bytes()]);
    format!("{}.{json}", BASE64_URL_SAFE_NO_PAD.encode(tag))
}

/// Parses a value. Returns `None` if another server or another release wrote it.
pub(crate) fn read<T: DeserializeOwned>(mac: &MacKey, key: &str, value: &[u8]) -> Option<T> {
    let (tag, json) = std::str::from_utf8(value).ok()?.split_once('.')?;
    let tag = BASE64_URL_SAFE_NO_PAD.decode(tag).ok()?;
    let is_ours = mac.verify(&[key.as_bytes(), json.as_bytes()], &tag);
    is_ours.then(|| serde_json::from_str(json).ok()).flatten()
}
