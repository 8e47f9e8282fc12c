//! Elasticsearch: a document for each message and each member, made from the rows of the read tables, and the backend that searches them.
//!
//! A document is a function of rows (`documents`), and its version is the position of the relational projection that the rows were read
//! at. So it does not matter who writes a document, how often, or how late: what is older than what is there is left out. The projector
//! (`projector`) writes what events touch; a rebuild (`rebuild`) writes everything into new indices beside the live ones, proves them equal
//! to the rows, and switches; a view of then (`view`) has indices of its own; a workspace that has grown moves to indices of its own (`moves`).
//!
//! Which indices there are, and which of them is read, stands in Postgres (`models`), so that an Elasticsearch that was wiped is noticed.

mod analytics;
mod backend;
mod bulk;
mod compare;
mod differences;
mod documents;
mod indices;
mod messages;
mod models;
mod moves;
mod node;
mod people;
mod projector;
mod rebuild;
mod rows;
mod view;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use elasticsearch::http::Method;

pub use backend::ElasticSearch;
pub use models::Rejected;
pub(crate) use models::{refresh_later, rejected};
pub use moves::rebalance;
pub(crate) use moves::tend;
pub(crate) use projector::{NAME, SearchProjector, VERSION};
pub(crate) use rebuild::{rebuild, tidy};

use stores::elasticsearch::{Client, ElasticError, ElasticSettings};

/// How long it may take to say how it is.
const HEALTH_MAX: Duration = Duration::from_secs(1);

/// Elasticsearch, as an installation uses it. Cheap to clone; it need not be there.
#[derive(Clone, Debug)]
pub struct Elastic {
    client: Client,
    settings: Arc<ElasticSettings>,
}

impl Elastic {
    /// With those settings. Nothing is asked yet.
    ///
    /// # Errors
    /// The address or the certificate is not one.
    pub fn new(settings: ElasticSettings) -> Result<Self, ElasticError> {
        Ok(Self { client: Client::new(&settings)?, settings: Arc::new(settings) })
    }

    /// How it is, for whoever looks after it: which version answers, or what is wrong. Nothing that only operators may know.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn health(&self) -> Result<String, String> {
        match self.client.ask_within(HEALTH_MAX, Method::Get, "/", None).await {
            Ok(about) => Ok(format!("answers, version {}", about["version"]["number"].as_str().unwrap_or("unknown"))),
            Err(ElasticError::Refused { status: 401, .. }) => {
                Err("it refuses the login (401): check elasticsearch_user and elasticsearch_password, or elasticsearch_api_key".into())
            }
            Err(ElasticError::Refused { status: 403, .. }) => {
                Err("it refuses the rights of the login (403): docs/SEARCH_OPERATIONS.md says which are needed".into())
            }
            Err(error) => Err(root_of(&error)),
        }
    }
}

/// What is at the bottom of an error: what stands above it may name addresses.
fn root_of(error: &dyn Error) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}
