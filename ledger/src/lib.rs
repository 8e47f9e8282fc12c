//! What reads the log itself: the audit, the proof, and the log as files.
//!
//! | room | what |
//! |---|---|
//! | [`audit`] | who did what, when, and what it changed: an index of the log is a projection (`audit_log`), everything else is read from the log |
//! | [`proof`] | a Merkle tree over the log, whose head is signed, and verifying it |
//! | [`months`] | closed months of the log as files |

pub mod audit;
pub mod months;
pub mod proof;
