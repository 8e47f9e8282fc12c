//! How much of NATS' storage the stream uses, for metrics.

use async_nats::{Client, jetstream};

use super::{RelayError, nats_error};

/// The use of JetStream's storage. A limit of `None` is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamUsage {
    /// The messages in the stream.
    pub messages: u64,
    /// The bytes of the stream.
    pub bytes: u64,
    /// The most bytes of the stream. Then it drops its oldest messages.
    pub bytes_max: Option<u64>,
    /// The bytes in files of all streams of the account.
    pub account_bytes: u64,
    /// The most bytes in files of all streams of the account. Then NATS takes no message.
    pub account_bytes_max: Option<u64>,
}

/// Returns the use of JetStream's storage.
///
/// # Errors
/// NATS does not answer, has no JetStream, or has no such stream.
pub async fn usage(nats: &Client, stream: &str) -> Result<StreamUsage, RelayError> {
    let context = jetstream::new(nats.clone());
    let found = context.get_stream(stream).await.map_err(nats_error("describe the stream"))?;
    let account = context.query_account().await.map_err(nats_error("describe the account"))?;
    let info = found.cached_info();
    Ok(StreamUsage {
        messages: info.state.messages,
        bytes: info.state.bytes,
        bytes_max: limit(info.config.max_bytes),
        account_bytes: account.storage,
        account_bytes_max: account.limits.max_storage.and_then(limit),
    })
}

/// NATS says -1 where there is no limit.
fn limit(bytes: i64) -> Option<u64> {
    u64::try_from(bytes).ok().filter(|bytes| *bytes > 0)
}
