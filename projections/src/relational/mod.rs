//! The relational projection: the seed's tables in schema `read`. One file per family holds the writes and the reads of
//! its tables.
//!
//! Statements do not qualify table names (`search_path = read, public`), so that the same statements fill a shadow
//! schema in a rebuild.

pub mod affiliations;
pub mod audit_log;
pub mod channel_members;
pub mod channels;
mod copy;
mod erase;
pub mod guests;
pub mod invitations;
pub mod members;
pub mod messages;
mod model;
pub mod people;
pub mod personal;
pub mod retention;
mod rows;
mod stamp;
pub mod users;
pub mod workspaces;

use domain::{AggregateType, Event, Recorded};
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::PgConnection;

pub(crate) use copy::{CopyBuffer, CopyRow};
pub(crate) use erase::Erased;
pub(crate) use model::Model;
pub(crate) use rows::{Arrival, Row, Rows};
pub(crate) use stamp::EventStamp;

use crate::engine::projector::{ApplyError, Projector};
use audit_log::AuditRecord;
use channel_members::ChannelMemberRecord;
use channels::ChannelRecord;
use invitations::InvitationRow;
use members::MemberRecord;
use messages::{ArchivedMessage, EditRecord, Mention, MessageRecord, ReactionRecord};
use rows::JsonRow;
use users::UserRow;
use workspaces::WorkspaceRow;

/// The projection's name.
pub(crate) const NAME: &str = "relational";

/// The projection's version. Raise it when the same events make other rows than before. The live tables are then
/// rebuilt.
pub(crate) const VERSION: i32 = 3;

/// The name under which a rebuild keeps its checkpoint and its parked keys.
pub(crate) const NEXT_NAME: &str = "relational.next";

/// The projector of the read tables.
#[derive(Debug)]
pub(crate) struct Relational {
    /// The name of its checkpoint. A rebuild fills other tables under another name.
    name: &'static str,
}

impl Relational {
    /// The projector of the live tables.
    pub(crate) fn live() -> Self {
        Self { name: NAME }
    }

    /// The projector of the tables that a rebuild fills.
    pub(crate) fn next() -> Self {
        Self { name: NEXT_NAME }
    }
}

impl Projector for Relational {
    fn name(&self) -> &'static str {
        self.name
    }

    fn apply<'a>(&'a mut self, tx: &'a mut PgConnection, events: &'a [&'a Recorded<Event>]) -> BoxFuture<'a, Result<(), ApplyError>> {
        apply(tx, events).boxed()
    }
}

/// Applies events to the tables of the connection's schema: loads the rows that they change, applies the events, and
/// writes the rows.
pub(crate) async fn apply(tx: &mut PgConnection, events: &[&Recorded<Event>]) -> Result<(), ApplyError> {
    let mut model = Model::load(tx, events).await?;
    for event in events {
        model.apply(event)?;
    }
    Ok(model.save(tx).await?)
}

/// The columns of a read table that this release writes. Any other column of the table is generated, or a newer release
/// added it.
pub(crate) fn columns_of(table: &str) -> &'static [&'static str] {
    match table {
        "users" => UserRow::COLUMNS,
        "workspaces" => WorkspaceRow::COLUMNS,
        "workspace_members" => MemberRecord::COLUMNS,
        "workspace_invitations" => InvitationRow::COLUMNS,
        "channels" => ChannelRecord::COLUMNS,
        "channel_members" => <ChannelMemberRecord as JsonRow>::COLUMNS,
        "messages" => MessageRecord::COLUMNS,
        "messages_archive" => ArchivedMessage::COLUMNS,
        "mentions" => Mention::COLUMNS,
        "message_edits" => EditRecord::COLUMNS,
        "message_reactions" => ReactionRecord::COLUMNS,
        "audit_log" => AuditRecord::COLUMNS,
        _ => &[],
    }
}

/// The stream that a row of a table comes from.
pub(crate) struct Origin {
    /// The type of the stream's aggregate.
    pub(crate) aggregate: AggregateType,
    /// The column with the aggregate's identifier.
    pub(crate) id: &'static str,
    /// A column whose value occurs in the events about this row. Set if the stream also has events about other rows.
    pub(crate) names: Option<&'static str>,
}

/// The stream that the rows of a table come from, if it is one stream.
pub(crate) fn origin_of(table: &str) -> Option<Origin> {
    let of = |aggregate, id, names| Some(Origin { aggregate, id, names });
    match table {
        "users" => of(AggregateType::User, "user_id", None),
        "workspaces" => of(AggregateType::Workspace, "workspace_id", None),
        "workspace_members" => of(AggregateType::Workspace, "workspace_id", Some("user_id")),
        "workspace_invitations" => of(AggregateType::Workspace, "workspace_id", Some("invitation_id")),
        "channels" => of(AggregateType::Channel, "channel_id", None),
        "channel_members" => of(AggregateType::Channel, "channel_id", Some("user_id")),
        "messages" | "messages_archive" | "mentions" | "message_edits" | "message_reactions" => {
            of(AggregateType::Message, "message_id", None)
        }
        _ => None,
    }
}

/// The key under which events of a row are parked, as an expression on `t`.
pub(crate) fn park_key_of(table: &str) -> &'static str {
    match table {
        "users" => "'user:' || t.user_id",
        "audit_log" => "COALESCE('workspace:' || t.workspace_id, t.aggregate_type || ':' || t.aggregate_id)",
        _ => "'workspace:' || t.workspace_id",
    }
}
