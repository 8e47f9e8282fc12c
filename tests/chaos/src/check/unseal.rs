//! The personal parts of the log, unsealed. This code follows `docs/decisions/0011-personal-parts-are-sealed.md`, not
//! the product's code.

use std::collections::HashMap;

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce, Tag};
use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use sqlx::{PgPool, Row};
use uuid::Uuid;

use crate::stack::MASTER_KEY;

const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// The keys of users that were needed so far.
#[derive(Default)]
pub(super) struct Keys(HashMap<Uuid, Aes256Gcm>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("held", &self.0.len()).finish()
    }
}

/// Stands in the place of the event type when metadata are sealed.
pub(super) const METADATA: &str = "metadata";

/// The key that seals the fields of an event or of its metadata, if they are sealed.
pub(super) fn key_of(fields: &Value) -> Option<Uuid> {
    fields.get("sealed")?.as_str()?.split_once('.')?.0.parse().ok()
}

impl Keys {
    /// Reads the keys that are not in memory yet.
    pub(super) async fn fetch(&mut self, pool: &PgPool, wanted: impl Iterator<Item = Uuid>) -> Result<()> {
        let missing = wanted.filter(|id| !self.0.contains_key(id)).collect::<Vec<_>>();
        let rows = sqlx::query("SELECT key_id, owner_id, wrapped FROM secret.person_keys WHERE key_id = ANY ($1) AND wrapped IS NOT NULL");
        for row in rows.bind(missing).fetch_all(pool).await? {
            let (key_id, owner_id) = (row.try_get::<Uuid, _>("key_id")?, row.try_get::<Uuid, _>("owner_id")?);
            let key =
                open(&wrapping()?, &[key_id.as_bytes().as_slice(), owner_id.as_bytes()].concat(), &row.try_get::<Vec<u8>, _>("wrapped")?);
            self.0.insert(key_id, cipher(&key.with_context(|| format!("the key {key_id}"))?)?);
        }
        Ok(())
    }

    /// Puts the unsealed fields of an event back into place.
    pub(super) fn unseal(&self, fields: &mut Value, stream: Uuid, sequence: i64, event_type: &str) -> Result<()> {
        let Some(key_id) = key_of(fields) else { return Ok(()) };
        let key = self.0.get(&key_id).ok_or_else(|| anyhow!("an event is sealed with {key_id}, and that key does not exist"))?;
        let object = fields.as_object_mut().context("no object")?;
        let sealed = object.remove("sealed").unwrap_or_default();
        let sealed = sealed.as_str().and_then(|text| Some(text.split_once('.')?.1)).unwrap_or_default();
        let bound_to = [b"backscroll personal v1", stream.as_bytes().as_slice(), &sequence.to_be_bytes(), event_type.as_bytes()].concat();
        let text = open(key, &bound_to, &BASE64_URL_SAFE_NO_PAD.decode(sealed)?)?;
        object.extend(serde_json::from_str::<Map<String, Value>>(&format!("{{{}}}", String::from_utf8(text)?))?);
        Ok(())
    }
}

/// The key that wraps the keys of users.
fn wrapping() -> Result<Aes256Gcm> {
    let master = BASE64_STANDARD.decode(MASTER_KEY)?;
    cipher(&Sha256::new().chain_update(b"backscroll wrapping v1").chain_update(master).finalize())
}

fn cipher(key: &[u8]) -> Result<Aes256Gcm> {
    Aes256Gcm::new_from_slice(key).map_err(|_| anyhow!("a key of {} bytes", key.len()))
}

fn open(key: &Aes256Gcm, bound_to: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
    let (nonce, rest) = sealed.split_at_checked(NONCE_BYTES).context("too short")?;
    let (text, tag) = rest.split_at_checked(rest.len().saturating_sub(TAG_BYTES)).context("too short")?;
    let (nonce, tag) = (Nonce::try_from(nonce)?, Tag::try_from(tag)?);
    let mut text = text.to_vec();
    let opened = key.decrypt_inout_detached(&nonce, bound_to, text.as_mut_slice().into(), &tag);
    opened.map_err(|_| anyhow!("a sealed part was changed, or belongs to another event"))?;
    Ok(text)
}
