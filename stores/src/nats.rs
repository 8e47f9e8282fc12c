//! Connects to NATS.

use async_nats::{Client, ConnectError, ConnectOptions, ServerAddr};

/// Why NATS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// The address is not valid.
    #[error("the address of nats is wrong")]
    Address(#[source] std::io::Error),
    /// NATS refuses the connection.
    #[error("nats cannot be reached")]
    Connect(#[from] ConnectError),
}

/// Connects to NATS at this address, at once or as soon as it is reachable.
///
/// # Errors
/// The address is not valid, or NATS refuses the connection.
pub async fn connect(url: &str) -> Result<Client, NatsError> {
    let server = url.parse::<ServerAddr>().map_err(NatsError::Address)?;
    let options = ConnectOptions::new().name("backscroll").retry_on_initial_connect();
    // The client does not read user and password from the address.
    let options = match (server.username(), server.password()) {
        (Some(user), Some(password)) => options.user_and_password(user.to_owned(), password.to_owned()),
        _ => options,
    };
    Ok(options.connect(server).await?)
}
