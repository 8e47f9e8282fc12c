//! Elasticsearch: a document for each message and each member, made from rows of the read tables, and the backend that
//! searches them.
//!
//! A document is made from rows only (`documents`). Its version is the position of the relational projection at which
//! the rows were read. So it does not matter which process writes a document, how often, or how late: an older version
//! than the stored one is ignored. The projector (`projector`) writes the documents that events change. A rebuild
//! (`rebuild`) writes all documents into new indices beside the live ones, proves them equal to the rows, and switches.
//! A view as of a position (`view`) has indices of its own. A workspace that has grown moves to indices of its own
//! (`moves`).
//!
//! Postgres records which indices exist and which of them is read (`models`), so that lost indices are noticed.

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

use std::sync::Arc;
use std::time::Duration;

use elasticsearch::http::Method;

pub use backend::ElasticSearch;
pub use models::Rejected;
pub(crate) use models::{refresh_later, rejected};
pub use moves::rebalance;
pub(crate) use moves::run_moves;
pub(crate) use projector::{NAME, SearchProjector, VERSION};
pub(crate) use rebuild::{rebuild, tidy};

use stores::diagnosis::Diagnosis;
use stores::elasticsearch::{self as elasticsearch_store, Client, ElasticError, ElasticSettings};
use stores::restored::identity::CopyId;

/// How long a health check may take.
const HEALTH_MAX: Duration = Duration::from_secs(1);

/// The Elasticsearch of an installation. Cheap to clone. It may be unreachable.
#[derive(Clone, Debug)]
pub struct Elastic {
    client: Client,
    settings: Arc<ElasticSettings>,
}

impl Elastic {
    /// With these settings. Sends no request yet.
    ///
    /// # Errors
    /// The address or the certificate is not valid.
    pub fn new(settings: ElasticSettings) -> Result<Self, ElasticError> {
        Ok(Self { client: Client::new(&settings)?, settings: Arc::new(settings) })
    }

    /// Why Elasticsearch cannot be used, and what to do.
    fn diagnose(&self, error: &ElasticError) -> Diagnosis {
        elasticsearch_store::diagnose(self.settings.url.expose(), error)
    }

    /// The same connection, for a restored copy of the database: it has indices of its own, so that it takes nothing for
    /// its own which another history has left there.
    #[must_use]
    pub fn of_copy(self, copy_id: CopyId) -> Self {
        let prefix = format!("{}{}", self.settings.prefix, copy_id.prefix('_'));
        Self { settings: Arc::new(ElasticSettings { prefix, ..(*self.settings).clone() }), ..self }
    }

    /// Returns the version that answers, for a health report. The text contains nothing secret.
    ///
    /// # Errors
    /// Says what is wrong.
    pub async fn health(&self) -> Result<String, String> {
        match self.client.ask_within(HEALTH_MAX, Method::Get, "/", None).await {
            Ok(about) => Ok(format!("answers, version {}", about["version"]["number"].as_str().unwrap_or("unknown"))),
            Err(error) => Err(self.diagnose(&error).to_string()),
        }
    }
}
