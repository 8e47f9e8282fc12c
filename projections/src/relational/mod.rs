//! The relational projection: the seed's tables in schema `read`. One file per family holds the table's writes and its reads.
//!
//! Table names stand unqualified in every statement (`search_path = read, public`), so that the same statements fill a shadow schema
//! in a rebuild.

pub mod audit_log;
pub mod channel_members;
pub mod channels;
pub mod invitations;
pub mod members;
pub mod messages;
pub mod users;
pub mod workspaces;

/// The projection's name.
pub(crate) const NAME: &str = "relational";
