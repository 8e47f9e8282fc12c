//! Requests on indices themselves: templates, creating and dropping, aliases, counts.

use std::collections::BTreeSet;

use elasticsearch::http::Method;
use migrations::elasticsearch::TEMPLATES;
use serde_json::{Map, Value, json};
use stores::elasticsearch::ElasticError;

use super::Elastic;
use super::indices::Model;

/// Whether an index is being filled or searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IndexUse {
    /// Nothing searches it: it has no replicas and is not refreshed.
    Filling,
    /// As the settings say.
    Searching,
}

impl Elastic {
    /// Updates the index templates.
    pub(super) async fn put_templates(&self) -> Result<(), ElasticError> {
        for template in TEMPLATES {
            let mut body = serde_json::from_str::<Value>(template.body).map_err(|error| ElasticError::Settings(error.into()))?;
            body["index_patterns"] = json!([format!("{}{}_*", self.settings.prefix, template.family)]);
            body["priority"] = json!(500);
            if let Some(settings) = body["template"]["settings"].as_object_mut() {
                settings.extend(self.index_settings());
            }
            let path = format!("/_index_template/{}{}", self.settings.prefix, template.family);
            self.client.ask(Method::Put, &path, Some(&body)).await?;
        }
        Ok(())
    }

    /// Creates an index with its alias for writing, unless it exists.
    pub(super) async fn ensure_index(&self, model: &Model, index: &str, alias: Option<&str>, used: IndexUse) -> Result<(), ElasticError> {
        let aliases = std::iter::once(model.writing(index)).chain(alias.map(str::to_owned));
        self.make_index(&model.concrete(index), aliases, used).await
    }

    /// Creates an index with these aliases, unless it exists.
    pub(super) async fn make_index(
        &self,
        name: &str,
        aliases: impl IntoIterator<Item = String>,
        used: IndexUse,
    ) -> Result<(), ElasticError> {
        let aliases = aliases.into_iter().map(|alias| (alias, json!({}))).collect::<Map<_, _>>();
        let settings = if used == IndexUse::Filling { json!({"number_of_replicas": 0, "refresh_interval": "-1"}) } else { json!({}) };
        let body = json!({"aliases": aliases, "settings": settings});
        match self.client.ask(Method::Put, &format!("/{name}"), Some(&body)).await {
            Err(ElasticError::Refused { kind, .. }) if kind == "resource_already_exists_exception" => Ok(()),
            made => made.map(drop),
        }
    }

    /// Ends the filling of indices: from now on they are searched.
    pub(super) async fn end_filling(&self, indices: &str) -> Result<(), ElasticError> {
        let settings = json!({
            "number_of_replicas": self.settings.replicas,
            "refresh_interval": self.refresh_interval(),
        });
        self.client.ask(Method::Put, &format!("/{indices}/_settings"), Some(&settings)).await?;
        self.refresh(indices).await
    }

    /// Whether all indices that a model always has exist.
    pub(super) async fn has(&self, model: &Model) -> Result<bool, ElasticError> {
        let found = self.indices(&model.pattern()).await?;
        Ok(model.shared_indices().iter().all(|index| found.contains(&model.concrete(index))))
    }

    /// Points the aliases of searches to this model and to no other, in one request. An alias that is right already
    /// stays.
    pub(super) async fn point_aliases(&self, model: &Model, aliases: &[(String, String)]) -> Result<(), ElasticError> {
        let mut actions = Vec::new();
        let wanted = aliases.iter().cloned().collect::<BTreeSet<_>>();
        let there = self.reading_aliases().await?;
        for (alias, index) in there.difference(&wanted) {
            actions.push(json!({"remove": {"index": index, "alias": alias}}));
        }
        for (alias, index) in wanted.difference(&there) {
            actions.push(json!({"add": {"index": index, "alias": alias}}));
        }
        if actions.is_empty() {
            return Ok(());
        }
        tracing::info!(model = model.model_id, changes = actions.len(), "the aliases of searches were switched");
        self.client.ask(Method::Post, "/_aliases", Some(&json!({"actions": actions}))).await.map(drop)
    }

    /// Drops all of our indices that belong to neither model.
    pub(super) async fn drop_others(&self, model: Option<&Model>, also: Option<&Model>) -> Result<(), ElasticError> {
        let all = self.indices(&format!("{}*", self.settings.prefix)).await?;
        let mut kept = BTreeSet::new();
        for model in [model, also].into_iter().flatten() {
            kept.extend(self.indices(&model.pattern()).await?);
        }
        // One request for each index: a failure of one does not keep the others.
        for index in all.difference(&kept).filter(|index| self.is_ours(index)) {
            match self.client.ask(Method::Delete, &format!("/{index}"), None).await {
                Err(error) if !error.is_missing() => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Makes written documents visible to searches.
    pub(super) async fn refresh(&self, indices: &str) -> Result<(), ElasticError> {
        self.client.ask(Method::Post, &format!("/{indices}/_refresh"), None).await.map(drop)
    }

    /// The names of the indices that match a pattern.
    pub(super) async fn indices(&self, pattern: &str) -> Result<BTreeSet<String>, ElasticError> {
        let found = self.client.ask(Method::Get, &format!("/{pattern}/_alias?expand_wildcards=all"), None).await;
        Ok(names(found)?.as_object().into_iter().flat_map(|indices| indices.keys().cloned()).collect())
    }

    /// All our aliases for searches, each with the index that it points to.
    async fn reading_aliases(&self) -> Result<BTreeSet<(String, String)>, ElasticError> {
        let found = names(self.client.ask(Method::Get, &format!("/{}*/_alias", self.settings.prefix), None).await)?;
        let mut aliases = BTreeSet::new();
        for (index, about) in found.as_object().into_iter().flatten().filter(|(index, _)| self.is_ours(index)) {
            let of_index = about["aliases"].as_object().into_iter().flat_map(|aliases| aliases.keys());
            aliases.extend(of_index.filter(|alias| !alias.ends_with("-write")).map(|alias| (alias.clone(), index.clone())));
        }
        Ok(aliases)
    }

    /// Another installation's prefix may begin with ours. After our prefix, our names continue with a family and end in
    /// a model's number.
    fn is_ours(&self, index: &str) -> bool {
        let Some(name) = index.strip_prefix(&self.settings.prefix) else { return false };
        let has_family = TEMPLATES.iter().any(|template| name.strip_prefix(template.family).is_some_and(|rest| rest.starts_with('_')));
        has_family && name.rsplit_once("-m").is_some_and(|(_, model)| !model.is_empty() && model.bytes().all(|b| b.is_ascii_digit()))
    }

    fn index_settings(&self) -> Map<String, Value> {
        let mut settings = Map::new();
        settings.insert("number_of_shards".into(), json!(self.settings.shards));
        settings.insert("number_of_replicas".into(), json!(self.settings.replicas));
        settings.insert("refresh_interval".into(), json!(self.refresh_interval()));
        settings
    }

    fn refresh_interval(&self) -> String {
        format!("{}ms", self.settings.refresh_interval.as_millis())
    }
}

/// A pattern without a match has an empty answer; a name without a match has a 404. Both mean no indices.
fn names(found: Result<Value, ElasticError>) -> Result<Value, ElasticError> {
    match found {
        Err(error) if error.is_missing() => Ok(Value::Null),
        found => found,
    }
}
