//! The indices of a view: a document for each row of its schema. No search reads them, no rebuild drops them, and later
//! events do not change them. Their names match the patterns of the templates, but end differently from those of every
//! model.

use elasticsearch::http::Method;
use sqlx::PgConnection;
use stores::elasticsearch::ElasticError;
use uuid::Uuid;

use super::Elastic;
use super::bulk::{self, Limits, Write};
use super::documents::Family;
use super::node::IndexUse;
use super::rows::{self, Scan};
use crate::rebuild::{Difference, Phase, RebuildError, RebuildProgress};

/// The result of filling a view's indices.
pub(crate) struct Filled {
    /// The number of documents of each index.
    pub(crate) documents: Vec<(String, i64)>,
    /// The indices that lack documents because Elasticsearch rejected them.
    pub(crate) refused: Vec<Difference>,
}

impl Elastic {
    /// The names of a view's indices.
    pub(crate) fn view_indices(&self, view: &str) -> Vec<String> {
        Family::ALL.map(|family| self.view_index(family, view)).to_vec()
    }

    fn view_index(&self, family: Family, view: &str) -> String {
        format!("{}{}_view_{view}", self.settings.prefix, family.as_str())
    }

    /// Creates the indices of a view from the connection's tables, which are as of this position.
    pub(crate) async fn fill_view(
        &self,
        connection: &mut PgConnection,
        view: &str,
        position: i64,
        observe: &(dyn Fn(RebuildProgress) + Send + Sync),
    ) -> Result<Filled, RebuildError> {
        self.put_templates().await?;
        // Nothing may be left of a removed view of the same name.
        self.drop_view_indices(&self.view_indices(view)).await?;
        let mut filled = Filled { documents: Vec::new(), refused: Vec::new() };
        for (family, scan) in [(Family::Users, Scan::Members), (Family::Messages, Scan::Messages)] {
            let index = self.view_index(family, view);
            self.make_index(&index, [writing(&index)], IndexUse::Filling).await?;
            let (rows, documents) = self.fill_from(connection, scan, &index, position, observe).await?;
            self.end_filling(&index).await?;
            if documents < rows {
                filled.refused.push(Difference { table: index.clone(), live_rows: rows, new_rows: documents, rows: Vec::new() });
            }
            filled.documents.push((index, documents));
        }
        Ok(filled)
    }

    /// Returns the number of rows, and the number of documents made from them.
    async fn fill_from(
        &self,
        connection: &mut PgConnection,
        scan: Scan,
        index: &str,
        position: i64,
        observe: &(dyn Fn(RebuildProgress) + Send + Sync),
    ) -> Result<(i64, i64), RebuildError> {
        let limits = Limits { bytes: self.settings.bulk_bytes, documents: self.settings.bulk_documents };
        let (mut after, mut rows, mut refused) = (Some(Uuid::nil()), 0, 0);
        while let Some(from) = after {
            let mut chunk = rows::scan(connection, scan, from).await?;
            chunk.documents.iter_mut().for_each(|document| document.version = position);
            let writes = chunk.documents.iter().map(|document| Write { index: writing(index), document });
            let rejections = bulk::write(&self.client, limits, writes.collect()).await?;
            for rejection in &rejections {
                tracing::error!(document = rejection.id, reason = rejection.reason, "elasticsearch rejects a document of a view");
            }
            (rows, refused) = (rows + chunk.documents.len(), refused + rejections.len());
            observe(RebuildProgress { phase: Phase::Indexing, done: rows as u64, total: rows as u64 });
            after = chunk.last;
        }
        let count = |number| i64::try_from(number).unwrap_or(i64::MAX);
        Ok((count(rows), count(rows - refused)))
    }

    /// Drops indices of a view, if they exist.
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

/// The alias for writing to an index.
fn writing(index: &str) -> String {
    format!("{index}-write")
}
