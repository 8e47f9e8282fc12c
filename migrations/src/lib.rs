//! The schema of Postgres, the streams of NATS and the indices of Elasticsearch, versioned alike, and nothing else: no logic.

pub mod elasticsearch;
pub mod nats;

/// Every migration of Postgres, in order, embedded in the binary.
pub static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("./postgres");
