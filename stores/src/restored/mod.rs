//! What a database lacks or remembers wrongly after it was restored from a backup.
//!
//! [`schemas`] makes derived schemas again that the backup left out. [`identity`] notices that a database is a copy, so
//! that nothing is taken for its own which another history has left in Redis and Elasticsearch. [`keys`] finds people
//! whose keys are missing.
//!
//! Not here: building the read tables again (`projections::restored`).

pub mod identity;
pub mod keys;
pub mod schemas;
