//! Answers requests for the proof: heads, tiles, and proofs computed from tiles.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde::Serialize;
use sqlx::{PgPool, query_scalar};
use utoipa::ToSchema;

use super::keyring::{self, PublishedKey};
use super::store::{self, StoredCheckpoint, Unsigned, stored};
use super::tiles::{Reader, Tile, TileId};
use super::tree::{Error, Hash, prove_record, prove_tree, tree_hash};

/// The first line of a self-contained proof.
const TLOG_PROOF: &str = "c2sp.org/tlog-proof@v1";

/// Reads the proof. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Proofs {
    pool: PgPool,
    has_name: bool,
}

/// Why something cannot be proved.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The database did not answer.
    #[error("the proof cannot be read")]
    Unavailable(#[from] sqlx::Error),
    /// No head has been signed yet.
    #[error("no head of the log is signed yet: try again once there are events")]
    NoHead,
    /// No head is signed, because the log has no name.
    #[error("no head of the log is signed, because the log has no name yet: set public_url or proof_origin, and start the server again")]
    NoName,
    /// A position or a size is not in the tree.
    #[error("{field} must be {least} to {most}: a signed head has {most} events")]
    OutOfRange {
        /// The field of the request that is wrong.
        field: &'static str,
        /// The least allowed value.
        least: u64,
        /// The largest allowed value.
        most: u64,
    },
    /// Tiles that the proof needs are missing or damaged.
    #[error("the stored tiles do not have what the proof needs: run `backscroll audit verify`")]
    TilesMissing,
}

/// A proof that an event is in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct InclusionProof {
    /// The event's position in the log, from 1.
    pub position: u64,
    /// The index of its leaf in the tree, from 0.
    pub index: u64,
    /// The number of events in the tree.
    pub size: u64,
    /// The entry: the digest of the event, 32 bytes in base64.
    pub entry: String,
    /// The hashes from the leaf's sibling up (RFC 9162, 2.1.3.1), in base64.
    pub hashes: Vec<String>,
    /// The root hash of the tree, in base64. A head of that size has the same.
    pub root: String,
}

/// A proof that the log of one size begins with the log of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConsistencyProof {
    /// The smaller size.
    pub from: u64,
    /// The larger size.
    pub to: u64,
    /// The root hash of the smaller tree, in base64.
    pub from_root: String,
    /// The root hash of the larger tree, in base64.
    pub to_root: String,
    /// The hashes of the proof (RFC 9162, 2.1.4.1), in base64.
    pub hashes: Vec<String>,
}

impl Proofs {
    /// The proof in this database.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool, has_name: true }
    }

    /// The same, for settings that name no log. Then a missing head has another reason.
    #[must_use]
    pub fn named(self, has_name: bool) -> Self {
        Self { has_name, ..self }
    }

    /// Returns the head that was signed last, if there is one.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn newest(&self) -> Result<Option<StoredCheckpoint>, ProveError> {
        Ok(store::newest(&self.pool).await?)
    }

    /// Returns the head that was signed last.
    ///
    /// # Errors
    /// No head is signed yet, or the database does not answer.
    pub async fn head(&self) -> Result<StoredCheckpoint, ProveError> {
        self.newest().await?.ok_or(if self.has_name { ProveError::NoHead } else { ProveError::NoName })
    }

    /// Returns the events that are in no signed head.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn unsigned(&self) -> Result<Unsigned, ProveError> {
        Ok(store::unsigned(&self.pool).await?)
    }

    /// Returns the last signed head whose last event has one of these positions.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn within(&self, positions: RangeInclusive<i64>) -> Result<Option<StoredCheckpoint>, ProveError> {
        Ok(store::within(&self.pool, positions).await?)
    }

    /// Returns the public keys, oldest first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn keys(&self) -> Result<Vec<PublishedKey>, ProveError> {
        Ok(keyring::published(&self.pool).await?)
    }

    /// Returns the hashes of a tile. `None` if the newest head has no such tile, or only a narrower one.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn tile(&self, tile: Tile) -> Result<Option<Vec<u8>>, ProveError> {
        let TileId { level, index } = tile.into();
        let bytes = tile.width().cast_signed() * 32;
        let hashes = query_scalar!(
            r#"SELECT substr(hashes, 1, $3) AS "hashes!" FROM proof.tiles WHERE level = $1 AND index = $2 AND octet_length(hashes) >= $3"#,
            i16::from(level),
            stored(index),
            bytes
        );
        Ok(hashes.fetch_optional(&self.pool).await?)
    }

    /// Returns the entries of a tile at level 0, each after its length in two bytes. `None` if the newest head has no
    /// such tile, or only a narrower one.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn entries(&self, tile: Tile) -> Result<Option<Vec<u8>>, ProveError> {
        let width = tile.width();
        let Some(first) = tile.level_index().checked_mul(256) else { return Ok(None) };
        let size = self.newest().await?.map_or(0, |head| head.size.unsigned_abs());
        if first.saturating_add(u64::from(width)) > size {
            return Ok(None);
        }
        let entries = store::digests(&self.pool, stored(first + 1), i64::from(width)).await?;
        let is_whole = u32::try_from(entries.len()) == Ok(width) && entries.iter().all(|entry| entry.digest.len() == 32);
        let bundle = entries.iter().flat_map(|entry| [0, 32].into_iter().chain(entry.digest.iter().copied())).collect();
        if is_whole { Ok(Some(bundle)) } else { Err(ProveError::TilesMissing) }
    }

    /// Proves that the event at `position` is in the tree of `size` events, or in that of the newest head.
    ///
    /// # Errors
    /// The tree has no such event, there is no such tree, or the database does not answer.
    pub async fn inclusion(&self, position: u64, size: Option<u64>) -> Result<InclusionProof, ProveError> {
        let newest = self.size().await?;
        let size = within("size", size.unwrap_or(newest), 1, newest)?;
        let index = within("position", position, 1, size)? - 1;
        let (path, root) = self.compute(|tiles| Ok((prove_record(size, index, tiles)?, tree_hash(size, tiles)?))).await?;
        let entry = store::digests(&self.pool, stored(position), 1).await?.pop().filter(|entry| entry.position == stored(position));
        Ok(InclusionProof {
            position,
            index,
            size,
            entry: BASE64.encode(entry.ok_or(ProveError::TilesMissing)?.digest),
            hashes: path.iter().map(Hash::to_string).collect(),
            root: root.to_string(),
        })
    }

    /// Proves that the tree of `to` events, or that of the newest head, begins with the tree of `from` events.
    ///
    /// # Errors
    /// There are no such trees, or the database does not answer.
    pub async fn consistency(&self, from: u64, to: Option<u64>) -> Result<ConsistencyProof, ProveError> {
        let newest = self.size().await?;
        let to = within("to", to.unwrap_or(newest), 1, newest)?;
        let from = within("from", from, 1, to)?;
        let compute = |tiles: &Reader<'_>| Ok((tree_hash(from, tiles)?, tree_hash(to, tiles)?, prove_tree(to, from, tiles)?));
        let (from_root, to_root, path) = self.compute(compute).await?;
        let hashes = path.iter().map(Hash::to_string).collect();
        Ok(ConsistencyProof { from, to, from_root: from_root.to_string(), to_root: to_root.to_string(), hashes })
    }

    /// Returns a self-contained proof as text (<https://c2sp.org/tlog-proof>): the newest head, and the proof that the
    /// event at `position` is in it. Its `extra` is the entry: the digest of the event.
    ///
    /// # Errors
    /// The newest head does not have that position, or the database does not answer.
    pub async fn whole(&self, position: u64) -> Result<String, ProveError> {
        let head = self.head().await?;
        let proof = self.inclusion(position, Some(head.size.unsigned_abs())).await?;
        let path = proof.hashes.iter().map(|hash| format!("{hash}\n")).collect::<String>();
        Ok(format!("{TLOG_PROOF}\nextra {}\nindex {}\n{path}\n{}", proof.entry, proof.index, head.note))
    }

    async fn size(&self) -> Result<u64, ProveError> {
        Ok(self.head().await?.size.unsigned_abs())
    }

    async fn compute<T>(&self, compute: impl Fn(&Reader<'_>) -> Result<T, Error>) -> Result<T, ProveError> {
        store::compute(&self.pool, compute).await?.map_err(|_| ProveError::TilesMissing)
    }
}

fn within(field: &'static str, number: u64, least: u64, most: u64) -> Result<u64, ProveError> {
    if (least..=most).contains(&number) { Ok(number) } else { Err(ProveError::OutOfRange { field, least, most }) }
}
