//! The proof that the log was not tampered with: a Merkle tree over it (RFC 9162), whose head is signed.
//!
//! The entry of an event is its digest, 32 bytes; leaf `n` is the event at position `n + 1`. Whoever keeps a signed head can tell later
//! whether the log still begins with what it was then. `docs/AUDIT.md` says what that proves, and what it does not.
//!
//! | room | what |
//! |---|---|
//! | [`tree`], [`tiles`], [`note`] | RFC 9162, tlog-tiles, signed notes and checkpoints: no input, no output |
//! | `digest` | what the digest of an event must be |
//! | `consumer`, `refused` | grows the tree behind the log, and signs its head, or does not |
//! | [`keyring`] | the keys |
//! | `send` | heads for places outside |
//! | `prove` | what is served |
//! | [`verify`] | computes everything anew, and compares |
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
pub use refused::{NotOurs, Refused};
pub use send::{Destinations, Webhook};
pub use store::StoredCheckpoint;
