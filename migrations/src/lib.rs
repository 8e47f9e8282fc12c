//! The versioned schema of Postgres, the streams of NATS and the indices of Elasticsearch. Nothing else, and no logic.

pub mod elasticsearch;
pub mod nats;

/// All migrations of Postgres, in order, embedded in the binary.
pub static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("./postgres");
