//! Connections to all stores: Postgres, Redis, NATS, Elasticsearch, object stores. Also what every other crate needs of
//! the log: reading it by position, the feed of new events ([`feed`]), and the digest of an event. Also the checkpoints
//! of projections, the pauses before a retry ([`retry`]), which releases may run on a database ([`release`]), what a
//! restored database lacks ([`restored`]), and the wording of errors for operators ([`diagnosis`]).
//!
//! Not here: writing the log (`commands`), building tables from it (`projections`), and settings (`api`).

pub mod address;
pub mod breaker;
pub mod checkpoint;
pub mod clock;
pub mod diagnosis;
pub mod elasticsearch;
pub mod error;
pub mod feed;
pub mod log;
pub mod nats;
pub mod objects;
pub mod postgres;
pub mod redis;
pub mod release;
pub mod restored;
pub mod retry;
pub mod tls;
