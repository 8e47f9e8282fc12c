//! The settings of the object store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use stores::objects::ObjectStoreSettings;

use super::gather::{Sources, gather};
use super::parse::Values;
use super::setting::{Setting, optional};
use super::{ConfigError, Secret};

/// Every setting of the object store.
pub(super) const SETTINGS: [Setting; 5] = [
    optional("object_store_url", "", "an S3-compatible object store: `https://host:port`. If empty, AWS in `object_store_region` is used"),
    optional("object_store_region", "us-east-1", "the region for which requests to the object store are signed"),
    optional("object_store_access_key", "", "the access key for the object store. If empty, the AWS instance role is used").secret(),
    optional("object_store_secret_key", "", "the secret of `object_store_access_key`").secret(),
    optional("object_store_ca_file", "", "the certificate authority of the object store in PEM, if the system does not know it"),
];

/// Reads only the settings of the object store, for commands that need no other server.
///
/// # Errors
/// The same as [`super::Settings::load`], which checks the other settings that are set too.
pub fn load(file: Option<&Path>) -> Result<ObjectStoreSettings, ConfigError> {
    let sources = Sources::read(file)?;
    from_sources(&sources.environment, sources.file())
}

fn from_sources(environment: &BTreeMap<String, String>, file: Option<(&Path, &str)>) -> Result<ObjectStoreSettings, ConfigError> {
    let mut values = gather(environment, file)?;
    let settings = read(&mut values);
    values.finish(settings)
}

pub(super) fn read(values: &mut Values) -> ObjectStoreSettings {
    let set = |text: String| Some(text).filter(|text| !text.is_empty());
    let secret_key = Secret::from(values.text("object_store_secret_key"));
    ObjectStoreSettings {
        url: set(values.web_address("object_store_url").expose().trim_end_matches('/').to_owned()),
        region: values.text("object_store_region"),
        key: set(values.text("object_store_access_key")).map(|name| (name, secret_key)),
        ca_file: set(values.text("object_store_ca_file")).map(PathBuf::from),
    }
}
