//! Talking to Elasticsearch: a request, its answer as JSON, and what went wrong in words of ours. No request waits for ever.

use std::path::PathBuf;
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

/// How long a change of indices, a count or a bulk request may take. What takes longer has died, or will be asked for again.
const WORK_MAX: Duration = Duration::from_secs(60);

/// Where Elasticsearch is, and how the indices are laid out there.
#[derive(Clone, Debug)]
pub struct ElasticSettings {
    /// Its address. It may hold a password.
    pub url: Secret,
    /// Who we are there.
    pub login: Login,
    /// The certificate authority that its certificate is from, in PEM, where the system does not know it.
    pub authority: Option<Vec<u8>>,
    /// What the names of indices and templates begin with.
    pub prefix: String,
    /// Shards of an index.
    pub shards: u32,
    /// Copies of each shard.
    pub replicas: u32,
    /// How often what was written becomes findable.
    pub refresh_interval: Duration,
    /// Into how many shared indices small workspaces are spread.
    pub pools: u32,
    /// From more members on, a workspace has an index of its own.
    pub dedicated_index_members: u32,
    /// From more messages a month on, it has one for each month.
    pub monthly_index_messages: u64,
    /// The most bytes of a bulk request.
    pub bulk_bytes: usize,
    /// The most documents of a bulk request.
    pub bulk_documents: usize,
}

/// Who we are for Elasticsearch.
#[derive(Clone, Debug)]
pub enum Login {
    /// Whoever asks may.
    Nobody,
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

/// Elasticsearch did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ElasticError {
    /// The settings name no server that a request could be sent to.
    #[error("elasticsearch cannot be used with these settings")]
    Settings(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The file with the certificate authority cannot be read.
    #[error("{path} cannot be read (elasticsearch_ca_file)", path = path.display())]
    AuthorityFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It does not answer.
    #[error("elasticsearch does not answer")]
    Unreachable(#[source] elasticsearch::Error),
    /// It says no.
    #[error("elasticsearch refuses ({status}, {kind}): {reason}")]
    Refused {
        /// The status of HTTP.
        status: u16,
        /// What it calls the error.
        kind: String,
        /// What it says of it.
        reason: String,
    },
    /// It answers something that is not JSON.
    #[error("elasticsearch's answer is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// It answers something else than was asked.
    #[error("elasticsearch's answer cannot be read: {0}")]
    Unreadable(&'static str),
    /// The indices that we have written are not there: it was wiped, or is another one.
    #[error("elasticsearch has lost index {0}")]
    Lost(String),
}

impl ElasticError {
    /// Whether what was asked for is not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. } | Self::Lost(_))
    }

    /// Whether there was too much in one request.
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::Refused { status: 413, .. })
    }

    /// Whether it may work a moment later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused { status, .. } => is_passing(*status),
            Self::Settings(_) | Self::AuthorityFile { .. } | Self::NotJson(_) | Self::Unreadable(_) | Self::Lost(_) => false,
        }
    }
}

/// Whether a status says that it may work a moment later: too much to do, or a node that is gone.
pub fn is_passing(status: u16) -> bool {
    status == 429 || status >= 500
}

/// A connection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client(Elasticsearch);

impl Client {
    /// To that server. Nothing is asked yet.
    ///
    /// # Errors
    /// The address or the certificate is not one.
    pub fn new(settings: &ElasticSettings) -> Result<Self, ElasticError> {
        let url = Url::parse(settings.url.expose()).map_err(|error| ElasticError::Settings(error.into()))?;
        let transport = TransportBuilder::new(SingleNodeConnectionPool::new(url)).disable_proxy();
        let transport = match &settings.login {
            Login::Nobody => transport,
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

    /// Asks for something that may take its time.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ElasticError> {
        self.ask_within(WORK_MAX, method, path, body).await
    }

    /// Asks for something that is answered within `limit`, or not at all.
    pub async fn ask_within(&self, limit: Duration, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ElasticError> {
        let sent = self.0.send(method, path, HeaderMap::new(), None::<&()>, body.map(JsonBody::new), Some(limit));
        answer(sent.await).await
    }

    /// Sends a bulk request: lines of actions and documents. Only into what is an alias: an index that is gone must not be made anew by
    /// writing to it.
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
    // The cause of the cause says more, such as which clause of a query is wrong.
    let cause = error["root_cause"][0]["reason"].as_str().filter(|cause| *cause != reason).map(|cause| format!(": {cause}"));
    ElasticError::Refused { status, kind, reason: reason + &cause.unwrap_or_default() }
}
