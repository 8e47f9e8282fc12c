//! The settings of the connection to Redis, and the wording of its errors.

use keyring::Secret;
use redis::{ClientTlsConfig, RedisError, TlsCertificates};

use crate::address::{host, hosts};
use crate::diagnosis::{Diagnosis, Fault, Named, network_advice};
use crate::error::chain;
use crate::tls::{TlsFiles, use_ring};

/// The setting of the address.
const SETTING: &str = "redis_url";
/// The port of Redis.
const PORT: u16 = 6379;

const NAMED: Named = Named { server: "redis", url: SETTING, authority: "redis_ca_file" };

/// The address of Redis, and the files for the connection.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// The address, or the addresses of some nodes of a cluster, separated by commas. They may contain a password.
    pub urls: Secret,
    /// Whether Redis is a cluster.
    pub is_cluster: bool,
    /// The prefix of every key.
    pub key_prefix: String,
    /// The files of TLS.
    pub tls: TlsFiles,
}

impl RedisSettings {
    pub(super) fn subject(&self) -> String {
        let urls = self.urls.expose();
        if self.is_cluster { format!("redis at {}", hosts(urls, PORT)) } else { subject_of(urls) }
    }

    /// The certificates for TLS. `None` if the settings name no file.
    pub(super) fn certificates(&self) -> Result<Option<TlsCertificates>, Diagnosis> {
        use_ring();
        let TlsFiles { authority, client } = &self.tls;
        if authority.is_none() && client.is_none() {
            return Ok(None);
        }
        if self.urls.expose().split(',').any(|url| !url.trim().starts_with("rediss://")) {
            let advice = "write the address as `rediss://…`, or remove the files of TLS";
            return Err(Diagnosis::new(
                self.subject(),
                SETTING,
                "files of TLS are set, and it is an address without TLS",
                advice,
                Fault::Setting,
            ));
        }
        let client_tls = match client {
            Some((certificate, key)) => {
                Some(ClientTlsConfig { client_cert: certificate.read_certificates()?, client_key: key.read_key()? })
            }
            None => None,
        };
        let root_cert = authority.as_ref().map(crate::tls::NamedFile::read_certificates).transpose()?;
        Ok(Some(TlsCertificates { client_tls, root_cert }))
    }
}

pub(super) fn subject_of(url: &str) -> String {
    format!("redis at {}", host(url, PORT))
}

pub(super) fn wrong(subject: &str, error: &RedisError) -> Diagnosis {
    let advice = "write it as `redis://:password@host:port/database`, or `rediss://…` with TLS";
    Diagnosis::new(subject.to_owned(), SETTING, &reason_of(error), advice, Fault::Setting)
}

/// The error with its causes, each once: some errors repeat their cause.
pub(super) fn reason_of(error: &RedisError) -> String {
    let text = error.to_string();
    let whole = chain(error);
    if whole.starts_with(&format!("{text}: {text}")) { text } else { whole }
}

pub(super) fn diagnose(subject: &str, reason: &str) -> Diagnosis {
    let has = |part: &str| reason.contains(part);
    let advice = if has("AuthenticationFailed") || has("WRONGPASS") || has("NOAUTH") || has("invalid password") {
        Some("correct the user and the password in redis_url; special characters of a password must be percent-encoded".to_owned())
    } else if has("NOPERM") {
        Some("give the user of redis_url the rights that docs/OPERATIONS.md names".to_owned())
    } else if has("OOM") {
        Some("give redis more memory, and see docs/OPERATIONS.md for maxmemory-policy".to_owned())
    } else if has("LOADING") {
        Some("wait until redis has read its files".to_owned())
    } else {
        network_advice(reason, &NAMED)
    };
    let advice = advice.unwrap_or_else(|| "check redis_url, and read the log of redis".to_owned());
    Diagnosis::new(subject.to_owned(), SETTING, reason, advice, Fault::Unreachable)
}
