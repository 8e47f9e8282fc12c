//! Connects to NATS, and knows why it cannot be used.

pub mod bus;
mod link;

use async_nats::{Client, ConnectError, ConnectOptions, Event, ServerAddr, ServerError};
use keyring::Secret;
use percent_encoding::percent_decode_str;

use crate::diagnosis::Diagnosis;
use crate::tls::{NamedFile, TlsFiles, use_ring};
pub use link::Link;

/// The address of NATS, and the files for the connection.
#[derive(Clone, Debug)]
pub struct NatsSettings {
    /// The address. It may contain a password.
    pub url: Secret,
    /// The files of TLS.
    pub tls: TlsFiles,
    /// A file with the login: a JWT and a seed, as `nsc` writes it.
    pub credentials: Option<NamedFile>,
}

/// Why NATS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// A setting, or a file that it names, is wrong.
    #[error(transparent)]
    Settings(#[from] Diagnosis),
    /// NATS refuses the connection.
    #[error("nats cannot be reached")]
    Connect(#[from] ConnectError),
}

/// Connects to NATS, at once or as soon as it is reachable. The link says whether it is.
///
/// # Errors
/// The address or a file is not valid.
pub async fn connect(settings: &NatsSettings) -> Result<(Client, Link), NatsError> {
    use_ring();
    let url = settings.url.expose();
    let link = Link::to(url);
    let server = url.parse::<ServerAddr>().map_err(|error| link.wrong_setting(&error.to_string()))?;
    let mut options = ConnectOptions::new().name("backscroll").retry_on_initial_connect();
    // The client does not read the user and the password from the address.
    if let (Some(user), Some(password)) = (server.username(), server.password()) {
        options = options.user_and_password(decoded(user, &link)?, decoded(password, &link)?);
    }
    if let Some(file) = &settings.credentials {
        let text = file.read().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())?;
        options = options.credentials(&text).map_err(|_| {
            let advice = "put the credentials of a NATS user there, as `nsc generate creds` writes them";
            Diagnosis::of_file(&file.path, file.setting, "it has no credentials", advice)
        })?;
    }
    if let Some(file) = &settings.tls.authority {
        file.read_certificates()?;
        options = options.add_root_certificates(file.path.clone());
    }
    if let Some((certificate, key)) = &settings.tls.client {
        certificate.read_certificates()?;
        key.read_key()?;
        options = options.add_client_certificate(certificate.path.clone(), key.path.clone());
    }
    Ok((noticing(options, &link).connect(server).await?, link))
}

/// With callbacks that tell the link how the connection stands.
fn noticing(options: ConnectOptions, link: &Link) -> ConnectOptions {
    let (events, tries) = (link.clone(), link.clone());
    let options = options.event_callback(move |event| {
        let link = events.clone();
        async move { notice(&link, event) }
    });
    // The client calls this before each try, with the results of the tries before. It returns no choice of its own.
    options.reconnect_to_server_callback(move |servers, _| {
        let failures = servers.into_iter().map(|server| server.last_error).collect::<Option<Vec<_>>>();
        if let Some(failure) = failures.and_then(|failures| failures.into_iter().next()) {
            tries.failed(&failure);
        }
        std::future::ready(None)
    })
}

fn notice(link: &Link, event: Event) {
    match event {
        Event::Connected => link.connected(),
        Event::Disconnected => link.disconnected(),
        // Every other failure of a try is known with its reason at the next try.
        Event::ClientError(error) if error.to_string().contains("DNS error") => link.failed(&error.to_string()),
        Event::ServerError(ServerError::Other(reason)) => link.refused(&reason),
        event => tracing::debug!(%event, "nats"),
    }
}

/// A part of the address, whose special characters are percent-encoded.
fn decoded(text: &str, link: &Link) -> Result<String, Diagnosis> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| link.wrong_setting("its user or password is not UTF-8"))
}
