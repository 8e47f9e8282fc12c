//! The proof that the log was not changed afterwards: a Merkle tree over it (RFC 9162), whose head is signed.
//!
//! The entry of an event is its digest, 32 bytes. Leaf `n` is the event at position `n + 1`. A person that has kept a
//! signed head can check later whether the log still begins with the same events. `docs/AUDIT.md` says what this
//! proves, and what it does not.
//!
//! | module | content |
//! |---|---|
//! | [`tree`], [`tiles`], [`note`] | RFC 9162, tlog-tiles, signed notes and checkpoints: no input, no output |
//! | `digest` | computes the digest of an event |
//! | `consumer`, `refused` | grows the tree behind the log and signs its head; why it refuses |
//! | [`keyring`] | the keys |
//! | `send` | sends heads to other systems |
//! | `prove` | answers requests for heads, tiles and proofs |
//! | [`verify`] | computes everything again, and compares |
//! | `store` | the tables |

mod consumer;
mod digest;
pub mod keyring;
pub mod note;
mod prove;
mod refused;
mod send;
mod store;
pub mod tiles;
pub mod tree;
pub mod verify;

pub use consumer::{Settings, Stats, run};
pub use keyring::{KeySource, PublishedKey};
pub use prove::{ConsistencyProof, InclusionProof, Proofs, ProveError};
pub use refused::{ForeignHead, Refused};
pub use send::{Delivered, Destinations, Webhook, delivered};
pub use store::StoredCheckpoint;
