//! The settings of search: the backend, and Elasticsearch.

use std::path::PathBuf;
use std::time::Duration;

use projections::search::BackendName;
use stores::diagnosis::Diagnosis;
use stores::elasticsearch::{ElasticSettings, Login};
use stores::tls::read_authority;

use super::Secret;
use super::parse::Values;
use super::setting::{Setting, optional};

/// Every setting of search.
pub(super) const SETTINGS: [Setting; 15] = [
    optional(
        "search",
        "postgres",
        "the backend that answers searches: `postgres` or `elasticsearch`. Postgres answers until Elasticsearch is filled",
    ),
    optional("elasticsearch_url", "", "Elasticsearch 8 or 9: `https://host:9200`; required if `search` is `elasticsearch`").secret(),
    optional("elasticsearch_user", "", "the user name for Elasticsearch"),
    optional("elasticsearch_password", "", "the password of `elasticsearch_user`").secret(),
    optional("elasticsearch_api_key", "", "an encoded API key, in place of a user and a password").secret(),
    optional("elasticsearch_ca_file", "", "the certificate authority of Elasticsearch in PEM, if the system does not know it"),
    optional(
        "elasticsearch_index_prefix",
        "backscroll_",
        "the prefix of all index names, for installations that share one Elasticsearch: 1 to 64 lowercase letters, digits, `-` \
         and `_`, with a letter first",
    ),
    optional("elasticsearch_shards", "5", "shards of each new index: 1 to 100"),
    optional("elasticsearch_replicas", "1", "replicas of each shard of new indices: 0 to 10"),
    optional(
        "elasticsearch_refresh_ms",
        "5000",
        "milliseconds between two refreshes, which make written documents findable: 100 to 600000",
    ),
    optional("elasticsearch_pools", "10", "the number of indices that small workspaces share, from the next replay on: 1 to 1000"),
    optional(
        "elasticsearch_dedicated_index_members",
        "10000",
        "a workspace with more members than this has an index of its own: 1 to 10000000",
    ),
    optional(
        "elasticsearch_monthly_index_messages",
        "1000000",
        "a workspace with more messages than this in thirty days has an index for each month: 1 to 1000000000",
    ),
    optional("elasticsearch_bulk_bytes", "5242880", "the largest bulk request, in bytes: 65536 to 104857600"),
    optional("elasticsearch_bulk_documents", "2000", "the most documents in a bulk request: 1 to 100000"),
];

/// The settings of search.
#[derive(Clone, Debug)]
pub struct SearchSettings {
    /// The backend that answers searches.
    pub backend: BackendName,
    /// The settings of Elasticsearch.
    pub elasticsearch: ElasticsearchSettings,
}

/// The settings of Elasticsearch.
#[derive(Clone, Debug)]
pub struct ElasticsearchSettings {
    url: Secret,
    user: String,
    password: Secret,
    api_key: Secret,
    ca_file: Option<PathBuf>,
    prefix: String,
    shards: u32,
    replicas: u32,
    refresh_interval: Duration,
    pools: u32,
    dedicated_index_members: u32,
    monthly_index_messages: u64,
    bulk_bytes: usize,
    bulk_documents: usize,
}

impl SearchSettings {
    pub(super) fn read(values: &mut Values) -> Self {
        let backend = values.search_backend("search");
        let elasticsearch = ElasticsearchSettings {
            url: values.elasticsearch_url("elasticsearch_url", backend),
            user: values.text("elasticsearch_user"),
            password: values.text("elasticsearch_password").into(),
            api_key: values.text("elasticsearch_api_key").into(),
            ca_file: Some(values.text("elasticsearch_ca_file")).filter(|path| !path.is_empty()).map(PathBuf::from),
            prefix: values.index_prefix("elasticsearch_index_prefix"),
            shards: values.number("elasticsearch_shards", 1..=100),
            replicas: values.number("elasticsearch_replicas", 0..=10),
            refresh_interval: Duration::from_millis(values.number("elasticsearch_refresh_ms", 100..=600_000)),
            pools: values.number("elasticsearch_pools", 1..=1000),
            dedicated_index_members: values.number("elasticsearch_dedicated_index_members", 1..=10_000_000),
            monthly_index_messages: values.number("elasticsearch_monthly_index_messages", 1..=1_000_000_000),
            bulk_bytes: values.number("elasticsearch_bulk_bytes", 65_536..=104_857_600),
            bulk_documents: values.number("elasticsearch_bulk_documents", 1..=100_000),
        };
        Self { backend, elasticsearch }
    }
}

impl ElasticsearchSettings {
    /// The address. It may contain a password.
    #[must_use]
    pub fn url(&self) -> &Secret {
        &self.url
    }

    /// The settings in the form that the projections take.
    ///
    /// # Errors
    /// The file of the certificate authority cannot be read.
    pub fn resolved(&self) -> Result<ElasticSettings, Diagnosis> {
        let read = |path: &PathBuf| read_authority(path, "elasticsearch_ca_file");
        Ok(ElasticSettings {
            url: self.url.clone(),
            login: self.login(),
            authority: self.ca_file.as_ref().map(read).transpose()?,
            prefix: self.prefix.clone(),
            shards: self.shards,
            replicas: self.replicas,
            refresh_interval: self.refresh_interval,
            pools: self.pools,
            dedicated_index_members: self.dedicated_index_members,
            monthly_index_messages: self.monthly_index_messages,
            bulk_bytes: self.bulk_bytes,
            bulk_documents: self.bulk_documents,
        })
    }

    fn login(&self) -> Login {
        match (self.api_key.expose(), self.user.as_str()) {
            ("", "") => Login::Anonymous,
            ("", user) => Login::Password { user: user.to_owned(), password: self.password.clone() },
            _ => Login::ApiKey(self.api_key.clone()),
        }
    }
}
