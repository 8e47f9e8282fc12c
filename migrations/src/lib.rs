//! The schema of Postgres and the streams of NATS, versioned alike, and nothing else: no logic.

pub mod nats;

/// Every migration of Postgres, in order, embedded in the binary.
pub static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("./postgres");
