//! The difference between two moments of one aggregate: as a JSON Patch, and in words.

use domain::ids::{ChannelId, WorkspaceId};
use domain::{AggregateType, StreamId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::AuditLog;
use super::entry::{Change, conversation, is_withheld, shown_changes};
use super::moment::{Moment, StateAt};
use super::{AuditError, TextAccess};

/// The difference between two moments of an aggregate.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = StateDifference)]
pub struct Difference {
    /// How many events the aggregate had at the first moment.
    pub from_version: i64,
    /// How many events it had at the second moment.
    pub to_version: i64,
    /// The changes (RFC 6902), each with the value before it.
    pub changes: Vec<Change>,
    /// The same changes in words, one line each.
    pub readable: Vec<String>,
    /// For a channel: how many messages were sent in between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_sent: Option<i64>,
    /// Whether texts are left out that the caller may not read.
    pub withheld: bool,
}

/// An aggregate at two moments, before texts are withheld.
#[derive(Debug)]
pub struct TwoMoments {
    stream: StreamId,
    channel: Option<ChannelId>,
    from: StateAt,
    to: StateAt,
    messages_sent: Option<i64>,
}

impl AuditLog {
    /// Returns an aggregate at two moments. `None` if the audit of the workspace (or of the whole server) has no event
    /// of it.
    ///
    /// # Errors
    /// The read models or the log cannot be read.
    pub async fn between(
        &self,
        workspace_id: Option<WorkspaceId>,
        stream: StreamId,
        from: Moment,
        to: Moment,
    ) -> Result<Option<TwoMoments>, AuditError> {
        let Some(events) = self.stream_in(workspace_id, stream).await? else { return Ok(None) };
        let messages_sent = match stream.aggregate {
            AggregateType::Channel => Some(self.messages_begun_between(ChannelId(stream.id), from, to).await?),
            AggregateType::User
            | AggregateType::Workspace
            | AggregateType::Message
            | AggregateType::Retention
            | AggregateType::Session
            | AggregateType::Audit
            | AggregateType::Installation => None,
        };
        let (from, to) = (StateAt::of(stream, &events, from), StateAt::of(stream, &events, to));
        Ok(Some(TwoMoments { stream, channel: conversation(&events), from, to, messages_sent }))
    }

    /// Returns the difference between two moments, with the texts that the caller may read.
    ///
    /// # Errors
    /// The read models cannot be read.
    pub async fn difference(&self, moments: &TwoMoments, access: &TextAccess) -> Result<Difference, AuditError> {
        let withheld = is_withheld(moments.channel, moments.stream, access);
        let changes = shown_changes(moments.from.state.whole(), moments.to.state.whole(), withheld);
        let ids = changes.iter().flat_map(ids_in).collect::<Vec<_>>();
        let names = self.names_of(&ids).await?;
        let named = |text: &str| text.parse::<Uuid>().ok().and_then(|id| names.get(&id).cloned()).unwrap_or_else(|| text.to_owned());
        Ok(Difference {
            from_version: moments.from.version,
            to_version: moments.to.version,
            readable: changes.iter().map(|change| in_words(change, &named)).collect(),
            changes,
            messages_sent: moments.messages_sent,
            withheld,
        })
    }
}

impl TwoMoments {
    /// The channel of a message.
    #[must_use]
    pub fn channel(&self) -> Option<ChannelId> {
        self.channel
    }
}

/// A change in words.
pub(super) fn in_words(change: &Change, named: &dyn Fn(&str) -> String) -> String {
    let place = change.path.split('/').skip(1).map(|part| named(&part.replace("~1", "/").replace("~0", "~"))).collect::<Vec<_>>();
    let place = if place.is_empty() { "it".to_owned() } else { place.join(" / ") };
    let said = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), |value| value_in_words(value, named));
    match change.op {
        "add" => format!("{place}: added {}", said(&change.value)),
        "remove" => format!("{place}: removed, was {}", said(&change.was)),
        _ => format!("{place}: {} → {}", said(&change.was), said(&change.value)),
    }
}

fn value_in_words(value: &Value, named: &dyn Fn(&str) -> String) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::String(text) => named(text),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => items.iter().map(|item| value_in_words(item, named)).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let said = fields.iter().filter(|(_, value)| !value.is_null() && **value != Value::Object(serde_json::Map::new()));
            said.map(|(name, value)| format!("{} {}", named(name), value_in_words(value, named))).collect::<Vec<_>>().join(", ")
        }
    }
}

/// The identifiers that occur in a change.
fn ids_in(change: &Change) -> Vec<Uuid> {
    let mut ids = change.path.split('/').filter_map(|part| part.parse().ok()).collect::<Vec<_>>();
    for value in [&change.value, &change.was].into_iter().flatten() {
        ids_of(value, &mut ids);
    }
    ids
}

fn ids_of(value: &Value, ids: &mut Vec<Uuid>) {
    match value {
        Value::String(text) => ids.extend(text.parse::<Uuid>()),
        Value::Array(items) => items.iter().for_each(|item| ids_of(item, ids)),
        Value::Object(fields) => {
            for (name, value) in fields {
                ids.extend(name.parse::<Uuid>());
                ids_of(value, ids);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_is_described_in_words_with_names() {
        let ann = Uuid::from_u128(7).to_string();
        let named = |text: &str| if text == Uuid::from_u128(7).to_string() { "ann".to_owned() } else { text.to_owned() };
        let said = |op, path: &str, value, was| in_words(&Change { op, path: path.into(), value, was }, &named);
        assert_eq!(said("replace", "/creation/topic", Some(json!("b")), Some(json!("a"))), "creation / topic: a → b");
        assert_eq!(said("add", &format!("/members/{ann}"), Some(json!({"role": "member"})), None), "members / ann: added role member");
        assert_eq!(
            said("remove", &format!("/members/{ann}"), None, Some(json!({"role": "admin"}))),
            "members / ann: removed, was role admin"
        );
    }
}
