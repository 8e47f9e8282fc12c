//! What is kept in Redis: a copy of what Postgres could answer, for speed alone. Redis may be gone, emptied or behind at any time, and
//! nobody is answered wrongly for it.

mod breaker;
mod connection;
mod script;

pub use connection::{Redis, RedisDown};
pub use script::Script;
