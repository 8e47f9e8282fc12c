//! Connections to everything that keeps data: Postgres, Redis, NATS, Elasticsearch, object stores. With them what every other
//! crate needs of the log: reading it by position, and the digest of an event; the checkpoints of projections; how long to
//! wait before something is tried again ([`retry`]); and which releases may run on a database ([`release`]).
//!
//! Not here: what is written (`commands`), what is built from the log (`projections`), and settings (`api`).

pub mod breaker;
pub mod checkpoint;
pub mod elasticsearch;
pub mod error;
pub mod log;
pub mod nats;
pub mod objects;
pub mod postgres;
pub mod redis;
pub mod release;
pub mod retry;
