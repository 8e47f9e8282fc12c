//! Why frames could not be made.

use commands::CommandError;
use stores::log::LogError;

/// Why frames could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ChangesError {
    /// The caller is not a member of the workspace, or the write side failed.
    #[error(transparent)]
    Commands(#[from] CommandError),
    /// The database did not answer.
    #[error("what changed cannot be read")]
    Store(#[from] sqlx::Error),
    /// The log could not be read.
    #[error("the log cannot be read")]
    Log(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<LogError> for ChangesError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Unavailable(error) => Self::Store(error),
            LogError::Gap { .. } | LogError::Malformed(_) | LogError::Keys(_) | LogError::OfLaterRelease { .. } => {
                Self::Log(Box::new(error))
            }
        }
    }
}
