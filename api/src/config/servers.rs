//! The settings of the connections to Redis and NATS, beyond their addresses: files of TLS and of logins.

use std::path::PathBuf;

use stores::nats::NatsSettings;
use stores::redis::RedisSettings;
use stores::tls::{NamedFile, TlsFiles};

use super::parse::Values;
use super::setting::{Setting, optional};

/// Every setting of these connections.
pub(super) const SETTINGS: [Setting; 7] = [
    optional("redis_ca_file", "", "the certificate authority of Redis in PEM, if the system does not know it; for a `rediss://` address"),
    optional("redis_client_certificate_file", "", "the certificate of this server for Redis in PEM, if Redis asks for one"),
    optional("redis_client_key_file", "", "the private key of `redis_client_certificate_file` in PEM"),
    optional("nats_ca_file", "", "the certificate authority of NATS in PEM, if the system does not know it"),
    optional("nats_client_certificate_file", "", "the certificate of this server for NATS in PEM, if NATS asks for one"),
    optional("nats_client_key_file", "", "the private key of `nats_client_certificate_file` in PEM"),
    optional("nats_credentials_file", "", "the credentials of a NATS user, as `nsc` writes them, in place of a user and a password"),
];

pub(super) fn redis(values: &mut Values) -> RedisSettings {
    let is_cluster = values.flag("redis_cluster");
    RedisSettings {
        urls: values.urls("redis_url", &["redis://", "rediss://", "redis+unix://", "unix://"], is_cluster),
        is_cluster,
        key_prefix: values.text("redis_key_prefix"),
        tls: TlsFiles {
            authority: file(values, "redis_ca_file"),
            client: client(values, "redis_client_certificate_file", "redis_client_key_file"),
        },
    }
}

pub(super) fn nats(values: &mut Values) -> NatsSettings {
    NatsSettings {
        url: values.url("nats_url", &["nats://", "tls://"]),
        tls: TlsFiles {
            authority: file(values, "nats_ca_file"),
            client: client(values, "nats_client_certificate_file", "nats_client_key_file"),
        },
        credentials: file(values, "nats_credentials_file"),
    }
}

fn file(values: &mut Values, setting: &'static str) -> Option<NamedFile> {
    let path = values.text(setting);
    Some(NamedFile { path: PathBuf::from(&path), setting }).filter(|_| !path.is_empty())
}

/// A certificate and its key: both or neither.
fn client(values: &mut Values, certificate: &'static str, key: &'static str) -> Option<(NamedFile, NamedFile)> {
    match (file(values, certificate), file(values, key)) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => values.needs_too(certificate, key),
        (None, Some(_)) => values.needs_too(key, certificate),
    }
}
