//! Reads the log itself: the audit, the proof, and the log as files.
//!
//! | module | content |
//! |---|---|
//! | [`audit`] | the actor, the time and the changes of each event. Its index is a projection (`audit_log`) |
//! | [`proof`] | a Merkle tree over the log, whose head is signed, and verifying it |
//! | [`months`] | closed months of the log as files |

pub mod audit;
pub mod months;
pub mod proof;
