//! Resolves the names in a query for the user that searches: from typed names to the identifiers that a backend needs.
//!
//! A channel that the user may not read is treated as if it did not exist: only channels that the caller gave as
//! readable are considered.

use std::collections::{HashMap, HashSet};

use domain::ids::{ChannelId, UserId, WorkspaceId};
use sqlx::{query_file, query_file_as};
use uuid::Uuid;

use super::query::{Filter, Mistake, Person, Query, QueryMistake, Room, Term};
use super::{Addressee, MessageQuery, Order, PageKey, Requirement, Span, TextTerm, words};
use crate::read_models::{QueryError, ReadModels};

/// The most channels that one search covers: the user's own first, then public ones.
const ROOMS_MAX: i64 = 50_000;

/// A channel or conversation, as searches and their answers name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRow {
    /// The channel.
    pub channel_id: Uuid,
    /// Its name. Conversations have none.
    pub name: Option<String>,
    /// `public`, `private`, `dm` or `group_dm`.
    pub channel_type: String,
    /// Whether the user is in it.
    pub is_member: bool,
    /// The position of the log that this row has. `None` if the row may lack earlier events.
    pub read_at: Option<i64>,
}

/// The user that searches, and the channels that the user may read at this moment.
#[derive(Clone, Copy, Debug)]
pub struct Searcher<'a> {
    /// The workspace that is searched.
    pub workspace_id: WorkspaceId,
    /// The user.
    pub user_id: UserId,
    /// The channels that the user may read.
    pub rooms: &'a [RoomRow],
    /// Whether the user is a guest, who knows people of these channels only.
    pub is_guest: bool,
}

/// The page of hits, and their order.
#[derive(Clone, Copy, Debug)]
pub struct Paging {
    /// The order of the hits.
    pub order: Order,
    /// The end of the page before.
    pub after: Option<PageKey>,
    /// The most hits.
    pub limit: u16,
    /// The answer must include all events up to this position: the user's own changes.
    pub min_position: Option<i64>,
}

/// Why a query cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The query names something that does not exist, or that the user may not know of.
    #[error(transparent)]
    Mistake(#[from] QueryMistake),
    /// The read models cannot be read.
    #[error(transparent)]
    Unavailable(#[from] QueryError),
}

/// The people that a query names.
struct People {
    searcher: UserId,
    named: HashMap<String, UserId>,
    conversations: HashMap<UserId, Vec<ChannelId>>,
}

impl ReadModels {
    /// Returns the channels of a workspace that a user may be able to read. The write side decides whether the user
    /// may.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn rooms_of(&self, workspace_id: WorkspaceId, user_id: UserId) -> Result<Vec<RoomRow>, QueryError> {
        let file = query_file_as!(RoomRow, "src/search/sql/rooms_of.sql", workspace_id.0, user_id.0, ROOMS_MAX);
        Ok(file.fetch_all(&self.pool).await?)
    }

    /// Resolves a query to one that a backend can run.
    ///
    /// # Errors
    /// The query names something that does not exist, or the read models cannot be read.
    pub async fn resolve(&self, query: &Query, searcher: Searcher<'_>, paging: Paging) -> Result<MessageQuery, ResolveError> {
        let people = self.people(query, searcher).await?;
        let mut resolved = MessageQuery {
            workspace_id: searcher.workspace_id,
            channels: searcher.rooms.iter().map(|room| room.channel_id.into()).collect(),
            is_narrowed: false,
            text: query.text.iter().map(|term| TextTerm { text: term.what.clone(), wanted: term.wanted }).collect(),
            authors: None,
            not_authors: Vec::new(),
            to: Vec::new(),
            not_to: Vec::new(),
            during: Span::default(),
            not_during: Vec::new(),
            properties: Vec::new(),
            order: paging.order,
            after: paging.after,
            limit: paging.limit,
            min_position: paging.min_position,
        };
        let (mut inside, mut outside) = (None::<HashSet<ChannelId>>, HashSet::new());
        for Term { what, wanted, at } in &query.filters {
            let refused = |mistake: Mistake| mistake.at(*at);
            match (what, wanted) {
                (Filter::From(person), Requirement::Must) => {
                    resolved.authors.get_or_insert_default().push(people.user(person).map_err(refused)?);
                }
                (Filter::From(person), Requirement::MustNot) => resolved.not_authors.push(people.user(person).map_err(refused)?),
                (Filter::To(person), Requirement::Must) => resolved.to.push(people.addressee(person, searcher).map_err(refused)?),
                (Filter::To(person), Requirement::MustNot) => resolved.not_to.push(people.addressee(person, searcher).map_err(refused)?),
                (Filter::In(room), Requirement::Must) => {
                    inside.get_or_insert_default().extend(people.room(room, searcher).map_err(refused)?);
                }
                (Filter::In(room), Requirement::MustNot) => outside.extend(people.room(room, searcher).map_err(refused)?),
                (Filter::During(spans), Requirement::Must) => resolved.only_during(spans),
                (Filter::During(spans), Requirement::MustNot) => resolved.not_during.extend(spans),
                (Filter::Property(property), wanted) => resolved.properties.push((property.clone(), *wanted)),
            }
        }
        resolved.is_narrowed = inside.is_some();
        resolved.channels.retain(|id| !outside.contains(id) && inside.as_ref().is_none_or(|inside| inside.contains(id)));
        Ok(resolved)
    }

    async fn people(&self, query: &Query, searcher: Searcher<'_>) -> Result<People, QueryError> {
        let mut people = People { searcher: searcher.user_id, named: HashMap::new(), conversations: HashMap::new() };
        let names = query.filters.iter().filter_map(|term| name(&term.what)).collect::<Vec<_>>();
        if names.is_empty() {
            return Ok(people);
        }
        let known_in = searcher.is_guest.then(|| searcher.rooms.iter().map(|room| room.channel_id).collect::<Vec<_>>());
        let names = names.iter().flat_map(|name| words::stored_names(name)).collect::<Vec<_>>();
        let workspace_id = searcher.workspace_id.0;
        let file = query_file!("src/search/sql/people_named.sql", workspace_id, &names as _, known_in as _, searcher.user_id.0);
        let named = file.fetch_all(&self.pool).await?;
        people.named = named.into_iter().map(|row| (words::name(&row.name), row.user_id.into())).collect();
        let rooms = searcher.rooms.iter().filter(|room| room.channel_type == "dm").map(|room| room.channel_id).collect::<Vec<_>>();
        let others = people.named.values().map(|id| id.0).collect::<Vec<_>>();
        let found = query_file!("src/search/sql/conversations_with.sql", &rooms, &others).fetch_all(&self.pool).await?;
        for row in found {
            people.conversations.entry(row.user_id.into()).or_default().push(row.channel_id.into());
        }
        Ok(people)
    }
}

/// The user name in a filter.
fn name(filter: &Filter) -> Option<String> {
    match filter {
        Filter::From(Person::Named(name)) | Filter::To(Person::Named(name)) | Filter::In(Room::With(Person::Named(name))) => {
            Some(name.clone())
        }
        Filter::From(Person::Me)
        | Filter::To(Person::Me)
        | Filter::In(Room::With(Person::Me) | Room::Channel(_))
        | Filter::During(_)
        | Filter::Property(_) => None,
    }
}

impl People {
    fn user(&self, person: &Person) -> Result<UserId, Mistake> {
        match person {
            Person::Me => Ok(self.searcher),
            Person::Named(name) => self.named.get(name).copied().ok_or_else(|| Mistake::UnknownPerson(name.clone())),
        }
    }

    /// The conversations that count as messages to a person: those between that person and the user that searches. For
    /// the user, all of the user's conversations.
    fn addressee(&self, person: &Person, searcher: Searcher<'_>) -> Result<Addressee, Mistake> {
        let user_id = self.user(person)?;
        let is_conversation = |room: &&RoomRow| matches!(room.channel_type.as_str(), "dm" | "group_dm");
        let conversations = if user_id == searcher.user_id {
            searcher.rooms.iter().filter(is_conversation).map(|room| room.channel_id.into()).collect()
        } else {
            self.conversations.get(&user_id).cloned().unwrap_or_default()
        };
        Ok(Addressee { user_id, conversations })
    }

    fn room(&self, room: &Room, searcher: Searcher<'_>) -> Result<Vec<ChannelId>, Mistake> {
        match room {
            Room::With(person) => Ok(self.conversations.get(&self.user(person)?).cloned().unwrap_or_default()),
            Room::Channel(name) => {
                let found = searcher.rooms.iter().find(|room| room.name.as_deref().is_some_and(|own| words::name(own) == *name));
                found.map(|room| vec![room.channel_id.into()]).ok_or_else(|| Mistake::UnknownChannel(name.clone()))
            }
        }
    }
}
