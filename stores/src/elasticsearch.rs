//! Sends requests to Elasticsearch, parses the answers as JSON, and describes failures in our own words. Every request
//! has a time limit.

use std::time::Duration;

use bytes::Bytes;
use elasticsearch::Elasticsearch;
use elasticsearch::auth::Credentials;
use elasticsearch::cert::{Certificate, CertificateValidation};
use elasticsearch::http::headers::{CONTENT_TYPE, HeaderMap, HeaderValue};
use elasticsearch::http::request::JsonBody;
use elasticsearch::http::response::Response;
use elasticsearch::http::transport::{SingleNodeConnectionPool, TransportBuilder};
use elasticsearch::http::{Method, Url};
use keyring::Secret;
use serde_json::Value;

use crate::address::host;
use crate::diagnosis::{Diagnosis, Fault, Named, network_advice};

/// How long a change of indices, a count or a bulk request may take. A longer one has failed, or will be repeated.
const WORK_MAX: Duration = Duration::from_secs(60);

/// The address of Elasticsearch, and the layout of the indices there.
#[derive(Clone, Debug)]
pub struct ElasticSettings {
    /// The address. It may contain a password.
    pub url: Secret,
    /// The login.
    pub login: Login,
    /// The certificate authority of its certificate, in PEM, if the system does not know it.
    pub authority: Option<Vec<u8>>,
    /// The prefix of the names of indices and templates.
    pub prefix: String,
    /// The number of shards of an index.
    pub shards: u32,
    /// The number of copies of each shard.
    pub replicas: u32,
    /// How often written documents become visible to searches.
    pub refresh_interval: Duration,
    /// The number of shared indices for small workspaces.
    pub pools: u32,
    /// A workspace with more members than this has an index of its own.
    pub dedicated_index_members: u32,
    /// A workspace with more messages per month than this has an index for each month.
    pub monthly_index_messages: u64,
    /// The most bytes of a bulk request.
    pub bulk_bytes: usize,
    /// The most documents of a bulk request.
    pub bulk_documents: usize,
}

/// The login at Elasticsearch.
#[derive(Clone, Debug)]
pub enum Login {
    /// No login.
    Anonymous,
    /// A user.
    Password {
        /// The user's name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// An API key, encoded as Elasticsearch gives it.
    ApiKey(Secret),
}

/// Elasticsearch failed to do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ElasticError {
    /// The settings do not give a usable server.
    #[error("elasticsearch cannot be used with these settings")]
    Settings(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Elasticsearch does not answer.
    #[error("elasticsearch does not answer")]
    Unreachable(#[source] elasticsearch::Error),
    /// Elasticsearch refuses the request.
    #[error("elasticsearch refuses ({status}, {kind}): {reason}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Elasticsearch's type of the error.
        kind: String,
        /// Elasticsearch's reason.
        reason: String,
    },
    /// The answer is not JSON.
    #[error("elasticsearch's answer is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// The answer has another form than expected.
    #[error("elasticsearch's answer cannot be read: {0}")]
    Unreadable(&'static str),
    /// An index that was written does not exist: the data were deleted, or it is another server.
    #[error("elasticsearch has lost {0}")]
    Lost(String),
}

impl ElasticError {
    /// Whether the requested item does not exist.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. } | Self::Lost(_))
    }

    /// Whether the request was too large.
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::Refused { status: 413, .. })
    }

    /// Whether a later try may succeed.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused { status, .. } => is_temporary(*status),
            Self::Settings(_) | Self::NotJson(_) | Self::Unreadable(_) | Self::Lost(_) => false,
        }
    }
}

/// Why Elasticsearch cannot be used, and what to do.
#[must_use]
pub fn diagnose(url: &str, error: &ElasticError) -> Diagnosis {
    let reason = reason_of(error);
    let (setting, advice, fault) = match error {
        ElasticError::Refused { status: 401, .. } => {
            let advice = "correct elasticsearch_user and elasticsearch_password, or elasticsearch_api_key";
            ("elasticsearch_user", advice.to_owned(), Fault::Setting)
        }
        ElasticError::Refused { status: 403, .. } => {
            let advice = "give the user or the API key the rights that docs/SEARCH_OPERATIONS.md lists";
            ("elasticsearch_user", advice.to_owned(), Fault::Refused)
        }
        ElasticError::Settings(_) => (NAMED.url, "write it as `https://host:9200`".to_owned(), Fault::Setting),
        _ => {
            let advice = network_advice(&reason, &NAMED);
            let otherwise = || "check elasticsearch_url, and read the log of elasticsearch".to_owned();
            (NAMED.url, advice.unwrap_or_else(otherwise), Fault::Unreachable)
        }
    };
    Diagnosis::new(format!("elasticsearch at {}", host(url, 9200)), setting, &reason, advice, fault)
}

/// The innermost cause. The outer ones may contain the address with its password.
fn reason_of(error: &ElasticError) -> String {
    let mut root: &dyn std::error::Error = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}

const NAMED: Named = Named { server: "elasticsearch", url: "elasticsearch_url", authority: "elasticsearch_ca_file" };

/// Whether an HTTP status means that a later try may succeed: Elasticsearch is overloaded, or a node is gone.
pub fn is_temporary(status: u16) -> bool {
    status == 429 || status >= 500
}

/// A connection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client(Elasticsearch);

impl Client {
    /// A client for this server. Sends no request yet.
    ///
    /// # Errors
    /// The address or the certificate is not valid.
    pub fn new(settings: &ElasticSettings) -> Result<Self, ElasticError> {
        let url = Url::parse(settings.url.expose()).map_err(|error| ElasticError::Settings(error.into()))?;
        let transport = TransportBuilder::new(SingleNodeConnectionPool::new(url)).disable_proxy();
        let transport = match &settings.login {
            Login::Anonymous => transport,
            Login::Password { user, password } => transport.auth(Credentials::Basic(user.clone(), password.expose().to_owned())),
            Login::ApiKey(key) => transport.auth(Credentials::EncodedApiKey(key.expose().to_owned())),
        };
        let transport = match &settings.authority {
            None => transport,
            Some(pem) => {
                let authority = Certificate::from_pem(pem).map_err(|error| ElasticError::Settings(error.into()))?;
                transport.cert_validation(CertificateValidation::Full(authority))
            }
        };
        Ok(Self(Elasticsearch::new(transport.build().map_err(|error| ElasticError::Settings(error.into()))?)))
    }

    /// Sends a request that may take long.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ElasticError> {
        self.ask_within(WORK_MAX, method, path, body).await
    }

    /// Sends a request, and gives up after `limit`.
    pub async fn ask_within(&self, limit: Duration, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ElasticError> {
        let sent = self.0.send(method, path, HeaderMap::new(), None::<&()>, body.map(JsonBody::new), Some(limit));
        answer(sent.await).await
    }

    /// Sends a bulk request: lines of actions and documents. It accepts only aliases as targets: writing to a deleted
    /// index must not create it again.
    pub async fn bulk(&self, lines: Bytes) -> Result<Value, ElasticError> {
        const PATH: &str = "/_bulk?require_alias=true&filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason";
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        answer(self.0.send(Method::Post, PATH, headers, None::<&()>, Some(lines), Some(WORK_MAX)).await).await
    }
}

async fn answer(sent: Result<Response, elasticsearch::Error>) -> Result<Value, ElasticError> {
    let response = sent.map_err(ElasticError::Unreachable)?;
    let status = response.status_code().as_u16();
    let text = response.text().await.map_err(ElasticError::Unreachable)?;
    let body = if text.is_empty() { Ok(Value::Null) } else { serde_json::from_str::<Value>(&text) };
    match body {
        Ok(body) if status < 300 => Ok(body),
        Ok(body) => Err(refusal(status, &body)),
        Err(_) if status >= 300 => Err(ElasticError::Refused { status, kind: "no json".into(), reason: text.chars().take(200).collect() }),
        Err(error) => Err(ElasticError::NotJson(error)),
    }
}

fn refusal(status: u16, body: &Value) -> ElasticError {
    let error = &body["error"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, reason) =
        if error.is_object() { (text(&error["type"]), text(&error["reason"])) } else { (String::new(), error.to_string()) };
    // The root cause often says more, such as which clause of a query is wrong.
    let cause = error["root_cause"][0]["reason"].as_str().filter(|cause| *cause != reason).map(|cause| format!(": {cause}"));
    ElasticError::Refused { status, kind, reason: reason + &cause.unwrap_or_default() }
}
