//! NATS.

use async_nats::{Client, ConnectError, ConnectOptions, ServerAddr};

/// NATS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// The address is not one.
    #[error("the address of nats is wrong")]
    Address(#[source] std::io::Error),
    /// NATS refuses us.
    #[error("nats cannot be reached")]
    Connect(#[from] ConnectError),
}

/// NATS at that address, now or as soon as it is there.
///
/// # Errors
/// The address is not one, or NATS refuses us.
pub async fn connect(url: &str) -> Result<Client, NatsError> {
    let server = url.parse::<ServerAddr>().map_err(NatsError::Address)?;
    let options = ConnectOptions::new().name("backscroll").retry_on_initial_connect();
    // The client does not take them from the address by itself.
    let options = match (server.username(), server.password()) {
        (Some(user), Some(password)) => options.user_and_password(user.to_owned(), password.to_owned()),
        _ => options,
    };
    Ok(options.connect(server).await?)
}
