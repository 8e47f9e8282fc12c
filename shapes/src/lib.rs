//! The parts that rows of queries, frames and the audit show alike: a person, the reactions to a message, a custom
//! status. One type for each, so the OpenAPI document has one schema for each.
//!
//! Not here: where a part comes from (a read table, the log, or the state of an aggregate).

mod custom_status;
mod person;
mod reaction;

pub use custom_status::CustomStatus;
pub use person::Person;
pub use reaction::{REACTION_USERS_MAX, Reaction, add_reaction, remove_reaction};
