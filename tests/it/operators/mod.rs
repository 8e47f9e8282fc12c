//! What an operator does with the binary and the servers: settings, errors, TLS.

mod errors;
mod outages;
mod rights;
mod settings;
mod tls;
