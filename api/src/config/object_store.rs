//! The settings of the object store, and the addresses of what is in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use object_store::path::Path as ObjectPath;

use super::parse::Values;
use super::{ConfigError, Secret, Setting, optional, sources};

/// Every setting of the object store.
pub(super) const SETTINGS: [Setting; 5] = [
    optional(
        "object_store_url",
        "",
        "an object store that speaks S3: `https://host:port`; where it is empty, AWS in `object_store_region`",
    ),
    optional("object_store_region", "us-east-1", "the region that requests to the object store are signed for"),
    optional("object_store_access_key", "", "the name of the key to be for the object store; where it is empty, the machine's role at AWS"),
    optional("object_store_secret_key", "", "that key"),
    optional("object_store_ca_file", "", "the certificate authority of the object store in PEM, where the system does not know it"),
];

/// Where the object store is, and who we are for it.
#[derive(Clone, Debug)]
pub struct ObjectStoreSettings {
    /// Its address; of AWS, where there is none.
    pub url: Option<String>,
    /// What requests are signed for.
    pub region: String,
    /// The name of a key, and the key.
    pub key: Option<(String, Secret)>,
    /// The certificate authority.
    pub ca_file: Option<PathBuf>,
}

impl ObjectStoreSettings {
    /// Reads these settings alone, for what needs no server but this one.
    ///
    /// # Errors
    /// As [`super::Settings::load`], of what else is set too.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let (environment, text) = sources(file)?;
        Self::from_sources(&environment, text.as_ref().map(|(path, text)| (path.as_path(), text.as_str())))
    }

    fn from_sources(environment: &BTreeMap<String, String>, file: Option<(&Path, &str)>) -> Result<Self, ConfigError> {
        let mut values = Values::gather(environment, file)?;
        let settings = Self::read(&mut values);
        values.finish(settings)
    }

    pub(super) fn read(values: &mut Values) -> Self {
        let set = |text: String| Some(text).filter(|text| !text.is_empty());
        let secret_key = Secret::from(values.text("object_store_secret_key"));
        Self {
            url: set(values.web_address("object_store_url").expose().trim_end_matches('/').to_owned()),
            region: values.text("object_store_region"),
            key: set(values.text("object_store_access_key")).map(|name| (name, secret_key)),
            ca_file: set(values.text("object_store_ca_file")).map(PathBuf::from),
        }
    }
}

/// A folder of a bucket, or an object in it: `s3://bucket/path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectUrl {
    /// The bucket.
    pub bucket: String,
    /// What is in it, from its root on.
    pub path: ObjectPath,
}

impl ObjectUrl {
    /// What the addresses of objects begin with.
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
            .ok_or_else(|| format!("{text:?} is no address such as s3://bucket/folder"))
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
