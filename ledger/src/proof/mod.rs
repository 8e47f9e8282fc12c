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
//! | `consumer`, `signer`, `refused` | grows the tree behind the log and signs its head; why it refuses |
//! | `signing` | what this process does about it, for operators |
//! | [`keyring`], [`sealing`] | the keys; their private parts in the database |
//! | `evidence` | whether the log was signed before, with a key that is gone |
//! | [`trust`] | an operator's decision for a new key |
//! | `send` | sends heads to other systems |
//! | `prove` | answers requests for heads, tiles and proofs |
//! | [`verify`] | computes everything again, and compares |
//! | `store` | the tables |

mod consumer;
mod digest;
mod evidence;
mod key_error;
pub mod keyring;
pub mod note;
mod prove;
mod refused;
pub mod sealing;
mod send;
mod signer;
mod signing;
mod store;
pub mod tiles;
pub mod tree;
pub mod trust;
pub mod verify;

pub use consumer::{Settings, run};
pub use keyring::{KeyError, KeySource, PublishedKey};
pub use prove::{ConsistencyProof, InclusionProof, Proofs, ProveError};
pub use refused::{ForeignHead, Refused};
pub use sealing::SealingKeys;
pub use send::{Delivered, Destinations, Webhook, delivered};
pub use signing::{Signing, Stats, readiness};
pub use store::{StoredCheckpoint, Unsigned};
