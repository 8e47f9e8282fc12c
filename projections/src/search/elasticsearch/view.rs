//! The indices of a view: a document for each row of its schema. No search reads them, no rebuild drops them, and nothing keeps them up with the
//! log. Their names are within the patterns of the templates, and end as no model's do.

use elasticsearch::http::Method;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Elastic;
use super::bulk::{self, Limits, Write};
use super::client::ElasticError;
use super::documents::Family;
use super::node::Use;
use super::rows::{self, Scan};
use crate::rebuild::{Phase, RebuildError, RebuildProgress};

impl Elastic {
    /// What the indices of a view are called.
    pub(crate) fn view_indices(&self, view: &str) -> Vec<String> {
        Family::ALL.map(|family| self.view_index(family, view)).to_vec()
    }

    fn view_index(&self, family: Family, view: &str) -> String {
        format!("{}{}_view_{view}", self.settings.prefix, family.as_str())
    }

    /// Makes the indices of a view from the rows that the connection's tables have, and answers with how many documents each has.
    pub(crate) async fn fill_view(
        &self,
        connection: &mut PgConnection,
        view: &str,
        observe: &(dyn Fn(RebuildProgress) + Send + Sync),
    ) -> Result<Vec<(String, i64)>, RebuildError> {
        self.put_templates().await?;
        let mut filled = Vec::new();
        for (family, scan) in [(Family::Users, Scan::Members), (Family::Messages, Scan::Messages)] {
            let index = self.view_index(family, view);
            self.make_index(&index, [writing(&index)], Use::Filling).await?;
            let documents = self.fill_from(connection, scan, &writing(&index), observe).await?;
            self.end_filling(&index).await?;
            filled.push((index, documents));
        }
        Ok(filled)
    }

    async fn fill_from(
        &self,
        connection: &mut PgConnection,
        scan: Scan,
        index: &str,
        observe: &(dyn Fn(RebuildProgress) + Send + Sync),
    ) -> Result<i64, RebuildError> {
        let limits = Limits { bytes: self.settings.bulk_bytes, documents: self.settings.bulk_documents };
        let (mut after, mut taken) = (Some(Uuid::nil()), 0);
        while let Some(from) = after {
            let chunk = rows::scan(connection, scan, from).await?;
            let writes = chunk.documents.iter().map(|document| Write { index: index.to_owned(), document });
            let rejections = bulk::write(&self.client, limits, writes.collect()).await?;
            for rejection in &rejections {
                tracing::error!(document = rejection.id, reason = rejection.reason, "elasticsearch does not take a document of a view");
            }
            taken += chunk.documents.len() - rejections.len();
            observe(RebuildProgress { phase: Phase::Indexing, done: taken as u64, total: taken as u64 });
            after = chunk.last;
        }
        Ok(i64::try_from(taken).unwrap_or(i64::MAX))
    }

    /// Drops indices of a view, as far as they are there.
    pub(crate) async fn drop_view_indices(&self, indices: &[String]) -> Result<(), ElasticError> {
        for index in indices {
            match self.client.ask(Method::Delete, &format!("/{index}"), None).await {
                Err(error) if !error.is_missing() => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }
}

/// The alias that an index is written through.
fn writing(index: &str) -> String {
    format!("{index}-write")
}
