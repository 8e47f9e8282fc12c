//! An object store with the S3 protocol: its settings, its buckets, and the addresses of its objects.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use keyring::Secret;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path as ObjectPath;
use object_store::{Certificate, ClientOptions, ObjectStore, RetryConfig};

use crate::address::host;
use crate::diagnosis::{Diagnosis, Fault, Named, network_advice};
use crate::tls;

/// How long connecting to the object store may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long one request to the object store may take: a part of a large object is 10 MiB.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// How often a request is repeated, if repeating is allowed.
const RETRIES: usize = 3;

/// The address of the object store, and the login.
#[derive(Clone, Debug)]
pub struct ObjectStoreSettings {
    /// The address. If empty, AWS is used.
    pub url: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// The access key: its name and its secret.
    pub key: Option<(String, Secret)>,
    /// A file with the certificate authority.
    pub ca_file: Option<PathBuf>,
}

/// Why the object store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ObjectStoreError {
    /// The address, the certificate or the key is not valid.
    #[error("the object store cannot be used (object_store_url)")]
    Settings(#[from] object_store::Error),
    /// The certificate authority of the object store cannot be read.
    #[error(transparent)]
    Authority(#[from] Diagnosis),
}

/// A folder of an object store.
#[derive(Clone)]
pub struct Objects {
    /// The address: `s3://bucket/folder`.
    pub url: String,
    /// The bucket.
    pub bucket: Arc<dyn ObjectStore>,
    /// The folder in the bucket.
    pub folder: ObjectPath,
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.url)
    }
}

/// A bucket of the object store. Connects with the first request.
///
/// # Errors
/// The address or the certificate authority is not valid.
pub fn bucket(settings: &ObjectStoreSettings, name: &str) -> Result<Arc<dyn ObjectStore>, ObjectStoreError> {
    // The client uses the process's crypto provider.
    tls::use_ring();
    let mut client = ClientOptions::new().with_connect_timeout(CONNECT_MAX).with_timeout(ANSWER_MAX);
    if let Some(path) = &settings.ca_file {
        let authority = tls::read_authority(path, "object_store_ca_file")?;
        client = Certificate::from_pem_bundle(&authority)?.into_iter().fold(client, ClientOptions::with_root_certificate);
    }
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: ANSWER_MAX, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new().with_bucket_name(name).with_region(&settings.region).with_retry(retry);
    if let Some(url) = &settings.url {
        builder = builder.with_endpoint(url);
        client = client.with_allow_http(url.starts_with("http://"));
    }
    if let Some((name, key)) = &settings.key {
        builder = builder.with_access_key_id(name).with_secret_access_key(key.expose());
    }
    Ok(Arc::new(builder.with_client_options(client).build()?))
}

/// Why an object, or its bucket, cannot be used. `reason` is the error with its causes.
#[must_use]
pub fn diagnose(settings: &ObjectStoreSettings, url: &ObjectUrl, error: Option<&object_store::Error>, reason: &str) -> Diagnosis {
    let named = Named { server: "the object store", url: "object_store_url", authority: "object_store_ca_file" };
    let (advice, fault) = match error {
        Some(object_store::Error::NotFound { .. }) => {
            let advice = format!("create the bucket {}, or correct the address {url} or object_store_url", url.bucket);
            (advice, Fault::Refused)
        }
        Some(object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }) => {
            let advice = "correct object_store_access_key, object_store_secret_key and object_store_region, and let the key read and write the bucket";
            (advice.to_owned(), Fault::Setting)
        }
        _ => {
            let advice = network_advice(reason, &named);
            (advice.unwrap_or_else(|| "check object_store_url, and read the log of the object store".to_owned()), Fault::Unreachable)
        }
    };
    let at = settings.url.as_deref().map_or_else(|| format!("AWS in {}", settings.region), |url| host(url, 443));
    let reason = format!("the object store at {at} answers: {reason}");
    Diagnosis::new(url.to_string(), "object_store_url", &reason, advice, fault)
}

/// A folder of the object store.
///
/// # Errors
/// As [`bucket`].
pub fn folder(settings: &ObjectStoreSettings, url: &ObjectUrl) -> Result<Objects, ObjectStoreError> {
    Ok(Objects { url: url.to_string(), bucket: bucket(settings, &url.bucket)?, folder: url.path.clone() })
}

/// A folder of a bucket, or an object in it: `s3://bucket/path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectUrl {
    /// The bucket.
    pub bucket: String,
    /// The path in the bucket.
    pub path: ObjectPath,
}

impl ObjectUrl {
    /// The beginning of addresses of objects.
    pub const SCHEME: &str = "s3://";
}

impl FromStr for ObjectUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_bucket = |name: &str| {
            let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_');
            (3..=63).contains(&name.len()) && name.bytes().all(fine)
        };
        let rest = text.strip_prefix(Self::SCHEME).unwrap_or_default();
        let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = ObjectPath::parse(path).ok().filter(|_| is_bucket(bucket) && !path.starts_with('/'));
        path.map(|path| Self { bucket: bucket.to_owned(), path })
            .ok_or_else(|| format!("{text:?} is not an address such as s3://bucket/folder"))
    }
}

impl std::fmt::Display for ObjectUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { bucket, path } = self;
        if path.is_root() { write!(f, "{}{bucket}", Self::SCHEME) } else { write!(f, "{}{bucket}/{path}", Self::SCHEME) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_bucket_and_what_is_in_it() {
        for (text, written) in [("s3://heads", "s3://heads"), ("s3://heads/", "s3://heads"), ("s3://a-b.c/d/e.f/", "s3://a-b.c/d/e.f")] {
            assert_eq!(text.parse::<ObjectUrl>().map(|url| url.to_string()).as_deref(), Ok(written));
        }
        for wrong in
            ["", "s3://", "s3:///x", "heads", "https://heads/x", "s3://He/x", "s3://heads//x", "s3://heads/../x", "s3://user@heads/x"]
        {
            assert!(wrong.parse::<ObjectUrl>().is_err(), "{wrong}");
        }
    }
}
