//! The relational projection: the seed's tables in schema `read`. One file per family holds the table's writes and its reads.
//!
//! Table names stand unqualified in every statement (`search_path = read, public`), so that the same statements fill a shadow schema
//! in a rebuild.

pub mod audit_log;
pub mod channel_members;
pub mod channels;
mod copy;
mod erase;
pub mod invitations;
pub mod members;
pub mod messages;
mod model;
pub mod personal;
pub mod retention;
mod rows;
mod seen;
pub mod traces;
pub mod users;
pub mod workspaces;

use domain::{AggregateType, Event, Recorded};
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::PgConnection;

pub(crate) use copy::{CopyBuffer, CopyRow};
pub(crate) use erase::Erased;
pub(crate) use model::Model;
pub(crate) use rows::{Count, Row, Rows};
pub(crate) use seen::Seen;

use crate::engine::projector::{ApplyError, Projector};
use audit_log::AuditRecord;
use channel_members::ChannelMemberRecord;
use channels::ChannelRow;
use invitations::InvitationRow;
use members::MemberRecord;
use messages::{Mention, MessageRecord};
use rows::JsonRow;
use users::UserRow;
use workspaces::WorkspaceRow;

/// The projection's name.
pub(crate) const NAME: &str = "relational";

/// Its version: raise it where the same events make other rows than before. The live tables are then built anew.
pub(crate) const VERSION: i32 = 1;

/// The name under which a rebuild keeps the checkpoint, and what is parked, of the tables that it fills.
pub(crate) const NEXT_NAME: &str = "relational.next";

/// Keeps the read tables.
#[derive(Debug)]
pub(crate) struct Relational {
    /// Under which name it keeps its checkpoint: a rebuild fills other tables under another one.
    name: &'static str,
}

impl Relational {
    /// Of the live tables.
    pub(crate) fn live() -> Self {
        Self { name: NAME }
    }

    /// Of those that a rebuild fills.
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

/// Applies events to the tables of the connection's schema: what they touch is loaded, folded, and written back.
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
        "channels" => ChannelRow::COLUMNS,
        "channel_members" => <ChannelMemberRecord as JsonRow>::COLUMNS,
        "messages" | "messages_archive" => MessageRecord::COLUMNS,
        "mentions" => Mention::COLUMNS,
        "audit_log" => AuditRecord::COLUMNS,
        _ => &[],
    }
}

/// Which stream a row of a table comes of.
pub(crate) struct Origin {
    /// What kind of thing.
    pub(crate) aggregate: AggregateType,
    /// The column that says which one.
    pub(crate) id: &'static str,
    /// The column whose value an event names that is about this row, where the stream is about others, too.
    pub(crate) names: Option<&'static str>,
}

/// Which stream the rows of a table come of, where they come of one.
pub(crate) fn origin_of(table: &str) -> Option<Origin> {
    let of = |aggregate, id, names| Some(Origin { aggregate, id, names });
    match table {
        "users" => of(AggregateType::User, "user_id", None),
        "workspaces" => of(AggregateType::Workspace, "workspace_id", None),
        "workspace_members" => of(AggregateType::Workspace, "workspace_id", Some("user_id")),
        "workspace_invitations" => of(AggregateType::Workspace, "workspace_id", Some("invitation_id")),
        "channels" => of(AggregateType::Channel, "channel_id", None),
        "channel_members" => of(AggregateType::Channel, "channel_id", Some("user_id")),
        "messages" | "messages_archive" | "mentions" => of(AggregateType::Message, "message_id", None),
        _ => None,
    }
}

/// What a row of a table waits under when its key is parked, as an expression on `t`.
pub(crate) fn park_key_of(table: &str) -> &'static str {
    match table {
        "users" => "'user:' || t.user_id",
        "audit_log" => "COALESCE('workspace:' || t.workspace_id, t.aggregate_type || ':' || t.aggregate_id)",
        _ => "'workspace:' || t.workspace_id",
    }
}
