//! Why there is no key to sign with.

use std::path::PathBuf;

use super::note::Malformed;

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The database did not answer.
    #[error("the keys cannot be read or written")]
    Database(#[from] sqlx::Error),
    /// The file cannot be read.
    #[error("the file {path} with the signing key cannot be read (proof_key_file)", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key is not valid.
    #[error("the signing key cannot be used: {0}")]
    Malformed(#[from] Malformed),
    /// The log has no name, so no first key can be made.
    #[error("the log has no name yet: set public_url or proof_origin, and start the server again")]
    NoName,
    /// The log was signed, and the public part of its key is gone.
    #[error(
        "the signing key of this log is gone: {0}. Restore the schemas proof and secret from the backup. If they are lost, sign with a \
         new key, which the auditors must accept: `backscroll audit rotate-key --new-trust`"
    )]
    Gone(String),
    /// The private key is not in the database.
    #[error(
        "the private key of {0} is not in the database: restore the table secret.proof_keys from the backup. If it is lost, sign with a \
         new key, which the auditors must accept: `backscroll audit rotate-key --new-trust`"
    )]
    Missing(String),
    /// The private key cannot be unsealed.
    #[error(
        "the private key of {0} is sealed under another master key: set that one as master_key_previous, and run `backscroll keys \
         rotate`. If it is lost, sign with a new key, which the auditors must accept: `backscroll audit rotate-key --new-trust`"
    )]
    Sealed(String),
    /// Another master key wraps the keys of this database, and this process does not have it.
    #[error("another master key wraps the keys of this database: set that one as master_key, or as master_key_previous")]
    OtherMasterKey,
    /// The key in the file belongs to another log.
    #[error("the key in the file is named {found}, and the log {origin} (proof_key_file)")]
    OtherLog {
        /// The name of the key.
        found: String,
        /// The name of the log.
        origin: String,
    },
    /// The key in the file was retired.
    #[error("the key in the file was retired: {0} (proof_key_file)")]
    Retired(String),
    /// The key is in a file, so the server cannot replace it.
    #[error("the signing key is in a file: put another one there, and restart the server (proof_key_file)")]
    InFile,
    /// No random bytes, or not enough memory.
    #[error("a key cannot be made")]
    Random,
}

impl From<ring::error::Unspecified> for KeyError {
    fn from(_: ring::error::Unspecified) -> Self {
        Self::Random
    }
}
