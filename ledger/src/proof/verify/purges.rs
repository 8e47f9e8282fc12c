//! Which events have lost their payload by a recorded purge, or the identifier of a client by a recorded removal: a
//! table lists them, and an event of the log must say so too.
//!
//! `message.purged` covers every earlier event of its own stream. `retention.applied` with the action `purge` covers
//! every earlier event of the messages that it lists. `installation.client_ids_removed` covers every earlier
//! `message.posted`, but only the identifier of the client. These purging events are compared like all others.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use super::page::Columns;

/// Events whose payload was purged, by position.
#[derive(Debug, Default)]
pub(super) struct Purges {
    emptied: HashMap<i64, Purge>,
    client_ids: HashMap<i64, Purge>,
}

/// The purge of an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Purge {
    /// The position of the purging event.
    pub(super) purged_by: i64,
    /// Whether that event really says so.
    pub(super) is_recorded: bool,
    /// The state in which it leaves the event.
    pub(super) leaves: Columns,
}

impl Purges {
    pub(super) fn of(&self, position: i64) -> Option<Purge> {
        self.emptied.get(&position).copied()
    }

    /// The removal of the identifier that a client gave to the message.
    pub(super) fn client_id_of(&self, position: i64) -> Option<Purge> {
        self.client_ids.get(&position).copied()
    }
}

/// A purged event, and the later event that must say so.
struct Row {
    position: i64,
    purged_by: i64,
    aggregate_type: String,
    aggregate_id: String,
    by_type: Option<String>,
    by_aggregate_type: Option<String>,
    by_aggregate_id: Option<String>,
}

/// The payload of `retention.applied`, as far as it is needed here.
#[derive(Deserialize)]
struct Applied {
    #[serde(rename = "retention.applied")]
    applied: Application,
}

#[derive(Deserialize)]
struct Application {
    action: String,
    #[serde(default)]
    messages: HashSet<Uuid>,
}

/// Reads the purges.
pub(super) async fn read(connection: &mut PgConnection) -> sqlx::Result<Purges> {
    let listed = lists(connection).await?;
    let rows = query_as!(
        Row,
        r#"SELECT p.position, p.purged_by, own.aggregate_type, own.aggregate_id, teller.event_type AS "by_type?",
                  teller.aggregate_type AS "by_aggregate_type?", teller.aggregate_id AS "by_aggregate_id?"
           FROM event_purges p
           JOIN events own ON own.position = p.position
           LEFT JOIN events teller ON teller.position = p.purged_by AND teller.position > p.position"#,
    );
    let rows = rows.fetch_all(&mut *connection).await?;
    let purge =
        |row: Row| (row.position, Purge { purged_by: row.purged_by, is_recorded: is_recorded(&row, &listed), leaves: Columns::Emptied });
    Ok(Purges { emptied: rows.into_iter().map(purge).collect(), client_ids: client_ids(connection).await? })
}

/// Reads the removals of clients' identifiers.
async fn client_ids(connection: &mut PgConnection) -> sqlx::Result<HashMap<i64, Purge>> {
    let rows = query!(
        r#"SELECT r.position, r.removed_by, coalesce(own.event_type = 'message.posted' AND teller.position > r.position, FALSE) AS "is_recorded!"
           FROM client_id_removals r
           JOIN events own ON own.position = r.position
           LEFT JOIN events teller ON teller.position = r.removed_by AND teller.event_type = 'installation.client_ids_removed'"#,
    );
    let removal = |(position, purged_by, is_recorded)| (position, Purge { purged_by, is_recorded, leaves: Columns::WithoutClientId });
    let rows = rows.fetch_all(connection).await?.into_iter().map(|row| (row.position, row.removed_by, row.is_recorded));
    Ok(rows.map(removal).collect())
}

/// Reads the messages that each `retention.applied` has purged, by its position.
async fn lists(connection: &mut PgConnection) -> sqlx::Result<HashMap<i64, HashSet<Uuid>>> {
    let payloads = query!(
        r#"SELECT position, payload::text AS "payload!" FROM events
           WHERE event_type = 'retention.applied' AND position IN (SELECT purged_by FROM event_purges)"#,
    );
    let parsed = |(position, payload): (i64, String)| {
        let Applied { applied } = serde_json::from_str(&payload).ok()?;
        (applied.action == "purge").then_some((position, applied.messages))
    };
    let rows = payloads.fetch_all(connection).await?.into_iter().map(|row| (row.position, row.payload));
    Ok(rows.filter_map(parsed).collect())
}

fn is_recorded(row: &Row, listed: &HashMap<i64, HashSet<Uuid>>) -> bool {
    let own = (row.aggregate_type.as_str(), row.aggregate_id.as_str());
    match row.by_type.as_deref() {
        Some("message.purged") => row.by_aggregate_type.as_deref().zip(row.by_aggregate_id.as_deref()) == Some(own),
        Some("retention.applied") => {
            let is_listed = |id: Uuid| listed.get(&row.purged_by).is_some_and(|messages| messages.contains(&id));
            own.0 == "message" && own.1.parse().is_ok_and(is_listed)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(by_type: Option<&str>, by: (&str, &str)) -> Row {
        Row {
            position: 7,
            purged_by: 9,
            aggregate_type: "message".into(),
            aggregate_id: Uuid::from_u128(1).to_string(),
            by_type: by_type.map(str::to_owned),
            by_aggregate_type: by_type.map(|_| by.0.to_owned()),
            by_aggregate_id: by_type.map(|_| by.1.to_owned()),
        }
    }

    #[test]
    fn only_an_event_that_covers_an_event_purges_it() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let lists = |id: Uuid| HashMap::from([(9, HashSet::from([id]))]);
        assert!(is_recorded(&row(Some("message.purged"), ("message", &one.to_string())), &HashMap::new()));
        assert!(!is_recorded(&row(Some("message.purged"), ("message", &other.to_string())), &HashMap::new()), "of another message");
        assert!(is_recorded(&row(Some("retention.applied"), ("retention", "x")), &lists(one)));
        assert!(!is_recorded(&row(Some("retention.applied"), ("retention", "x")), &lists(other)), "not in the list");
        assert!(!is_recorded(&row(Some("retention.applied"), ("retention", "x")), &HashMap::new()), "no purge");
        assert!(!is_recorded(&row(Some("message.edited"), ("message", &one.to_string())), &lists(one)), "an event of another kind");
        assert!(!is_recorded(&row(None, ("", "")), &lists(one)), "no event, or one before it");
    }
}
