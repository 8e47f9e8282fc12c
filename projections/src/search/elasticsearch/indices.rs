//! Which index a document is in. Small workspaces share a pool of indices and are assigned by a hash. A large one has
//! an index of its own; one of high volume has an index for each month. The seed's names are aliases; the names of the
//! indices behind them also contain the number of their model.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, Utc};
use uuid::Uuid;

use super::documents::{Document, Family, checksum};

/// Where a workspace's messages are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    /// In one of the shared indices.
    Shared,
    /// In an index of its own.
    Own,
    /// In an index for each month.
    Monthly,
}

impl Place {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Own => "own",
            Self::Monthly => "monthly",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        match name {
            "own" => Self::Own,
            "monthly" => Self::Monthly,
            _ => Self::Shared,
        }
    }
}

/// How far the move of a workspace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Documents are written to both places, and read from the old one.
    Moving,
    /// Documents are read from the new place. The old one is not emptied yet.
    Moved,
    /// The old place is empty.
    Settled,
}

/// The place of a workspace that is not in a shared index, or is moving out of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) place: Place,
    pub(crate) previous: Place,
    pub(crate) stage: Stage,
}

impl Route {
    /// The places that documents are written to.
    fn written(self) -> impl Iterator<Item = Place> {
        let before = (self.stage == Stage::Moving).then_some(self.previous);
        std::iter::once(self.place).chain(before)
    }

    /// The place that documents are read from.
    fn read(self) -> Place {
        if self.stage == Stage::Moving { self.previous } else { self.place }
    }
}

/// One set of indices, and the workspaces that have a place of their own in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) prefix: String,
    pub(crate) model_id: i64,
    pub(crate) pools: u32,
    pub(crate) routes: BTreeMap<Uuid, Route>,
}

impl Model {
    /// The shared indices, which the model always has.
    pub(crate) fn shared_indices(&self) -> Vec<String> {
        let of = |family: Family| (0..self.pools).map(move |pool| format!("{}_shared_{pool}", family.as_str()));
        Family::ALL.into_iter().flat_map(of).collect()
    }

    /// The names of the indices that a document is written to, without the model's number.
    pub(crate) fn written_to(&self, document: &Document) -> Vec<String> {
        let shared = || self.shared(document.family, document.workspace_id);
        match (document.family, self.routes.get(&document.workspace_id)) {
            (Family::Users, _) | (Family::Messages, None) => vec![shared()],
            (Family::Messages, Some(route)) => {
                route.written().map(|place| self.index_in(place, document.workspace_id, document.moment)).collect()
            }
        }
    }

    /// The alias for reading a workspace's documents.
    pub(crate) fn read_alias(&self, family: Family, workspace_id: Uuid) -> String {
        let place = self.routes.get(&workspace_id).filter(|_| family == Family::Messages).map_or(Place::Shared, |route| route.read());
        match place {
            Place::Shared => format!("{}{}", self.prefix, self.shared(family, workspace_id)),
            Place::Own | Place::Monthly => self.alias_of_workspace(place, workspace_id),
        }
    }

    /// Whether a workspace is read from this place.
    pub(crate) fn is_read_from(&self, place: Place, workspace_id: Uuid) -> bool {
        self.routes.get(&workspace_id).is_some_and(|route| route.read() == place)
    }

    /// The aliases that searches use, each with an index of the model that it must point to.
    pub(crate) fn reading_aliases(&self, concrete: &BTreeSet<String>) -> Vec<(String, String)> {
        let mut aliases = Vec::new();
        for index in self.shared_indices() {
            aliases.push((format!("{}{index}", self.prefix), self.concrete(&index)));
        }
        for (workspace_id, route) in &self.routes {
            let beginning = match route.read() {
                Place::Shared => continue,
                Place::Own => format!("{}messages_workspace_{workspace_id}-", self.prefix),
                Place::Monthly => format!("{}messages_{workspace_id}_", self.prefix),
            };
            let alias = self.alias_of_workspace(route.read(), *workspace_id);
            aliases.extend(concrete.iter().filter(|index| index.starts_with(&beginning)).map(|index| (alias.clone(), index.clone())));
        }
        aliases
    }

    /// The index of a place for documents of this time.
    pub(crate) fn index_in(&self, place: Place, workspace_id: Uuid, moment: DateTime<Utc>) -> String {
        match place {
            Place::Shared => self.shared(Family::Messages, workspace_id),
            Place::Own => format!("messages_workspace_{workspace_id}"),
            Place::Monthly => format!("messages_{workspace_id}_{:04}_{:02}", moment.year().max(0), moment.month()),
        }
    }

    /// The alias for all messages of a workspace that is not in a shared index.
    pub(crate) fn alias_of_workspace(&self, place: Place, workspace_id: Uuid) -> String {
        match place {
            Place::Monthly => format!("{}messages_monthly_{workspace_id}", self.prefix),
            Place::Shared | Place::Own => format!("{}messages_workspace_{workspace_id}", self.prefix),
        }
    }

    /// The index's name in Elasticsearch.
    pub(crate) fn concrete(&self, index: &str) -> String {
        format!("{}{index}{}", self.prefix, self.suffix())
    }

    /// The alias for writing to an index. If it is missing, the index is lost.
    pub(crate) fn writing(&self, index: &str) -> String {
        format!("{}-write", self.concrete(index))
    }

    /// A pattern that matches the indices of this model, and of no other.
    pub(crate) fn pattern(&self) -> String {
        format!("{}*{}", self.prefix, self.suffix())
    }

    /// The workspaces' own indices that these documents need, each with its workspace and place.
    pub(crate) fn of_workspaces(&self, documents: &[Document]) -> BTreeSet<(String, Place, Uuid)> {
        let mut needed = BTreeSet::new();
        for document in documents.iter().filter(|document| document.family == Family::Messages) {
            if let Some(route) = self.routes.get(&document.workspace_id) {
                let places = route.written().filter(|place| *place != Place::Shared);
                needed.extend(
                    places.map(|place| (self.index_in(place, document.workspace_id, document.moment), place, document.workspace_id)),
                );
            }
        }
        needed
    }

    fn shared(&self, family: Family, workspace_id: Uuid) -> String {
        format!("{}_shared_{}", family.as_str(), pool_of(workspace_id, self.pools))
    }

    fn suffix(&self) -> String {
        format!("-m{}", self.model_id)
    }
}

/// The pool of a workspace, which never changes. The seed's remainder of a hash can be negative; this one cannot.
fn pool_of(workspace_id: Uuid, pools: u32) -> u32 {
    u32::try_from(checksum(workspace_id.as_bytes()) % i64::from(pools.max(1))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(routes: &[(Uuid, Route)]) -> Model {
        Model { prefix: "b_".into(), model_id: 7, pools: 10, routes: routes.iter().copied().collect() }
    }

    fn message(workspace_id: Uuid) -> Document {
        let moment = "2024-03-09T12:00:00Z".parse().expect("a moment");
        Document { family: Family::Messages, id: "1".into(), workspace_id, moment, version: 1, checksum: 0, source: Vec::new() }
    }

    #[test]
    fn small_workspaces_are_spread_over_all_pools_and_stay_where_they_are() {
        let pools = (0..1_000_u128).map(|n| pool_of(Uuid::from_u128(n << 60 | n), 10)).collect::<BTreeSet<_>>();
        assert_eq!(pools, (0..10).collect());
        let id = Uuid::from_u128(7);
        assert_eq!(pool_of(id, 10), pool_of(id, 10));
        assert_eq!(model(&[]).written_to(&message(id)), [format!("messages_shared_{}", pool_of(id, 10))]);
    }

    #[test]
    fn a_workspace_that_moves_is_written_to_both_places_and_read_from_the_old_one() {
        let id = Uuid::from_u128(7);
        let moving = Route { place: Place::Own, previous: Place::Shared, stage: Stage::Moving };
        let shared = format!("messages_shared_{}", pool_of(id, 10));
        assert_eq!(model(&[(id, moving)]).written_to(&message(id)), [format!("messages_workspace_{id}"), shared.clone()]);
        assert_eq!(model(&[(id, moving)]).read_alias(Family::Messages, id), format!("b_{shared}"));
        let moved = Route { stage: Stage::Moved, ..moving };
        assert_eq!(model(&[(id, moved)]).written_to(&message(id)), [format!("messages_workspace_{id}")]);
        assert_eq!(model(&[(id, moved)]).read_alias(Family::Messages, id), format!("b_messages_workspace_{id}"));
        assert_eq!(model(&[(id, moved)]).read_alias(Family::Users, id), format!("b_users_shared_{}", pool_of(id, 10)));
    }

    #[test]
    fn a_workspace_of_high_volume_has_an_index_for_each_month() {
        let id = Uuid::from_u128(7);
        let monthly = Route { place: Place::Monthly, previous: Place::Shared, stage: Stage::Settled };
        let model = model(&[(id, monthly)]);
        assert_eq!(model.written_to(&message(id)), [format!("messages_{id}_2024_03")]);
        assert_eq!(model.concrete("messages_shared_3"), "b_messages_shared_3-m7");
        assert_eq!(model.writing("messages_shared_3"), "b_messages_shared_3-m7-write");
    }
}
