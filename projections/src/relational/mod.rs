//! The relational projection: the seed's tables in schema `read`. One file per family holds the table's writes and its reads.
//!
//! Table names stand unqualified in every statement (`search_path = read, public`), so that the same statements fill a shadow schema
//! in a rebuild.

pub mod audit_log;
pub mod channel_members;
pub mod channels;
mod copy;
pub mod invitations;
pub mod members;
pub mod messages;
mod model;
mod rows;
mod seen;
pub mod users;
pub mod workspaces;

use domain::{Event, Recorded};
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::PgConnection;

pub(crate) use copy::{CopyBuffer, CopyRow};
pub(crate) use model::Model;
pub(crate) use rows::{Count, Row, Rows};
pub(crate) use seen::Seen;

use crate::projector::{ApplyError, Projector};

/// The projection's name.
pub(crate) const NAME: &str = "relational";

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

/// What a row of a table waits under when its key is parked, as an expression on `t`.
pub(crate) fn park_key_of(table: &str) -> &'static str {
    match table {
        "users" => "'user:' || t.user_id",
        "audit_log" => "COALESCE('workspace:' || t.workspace_id, t.aggregate_type || ':' || t.aggregate_id)",
        _ => "'workspace:' || t.workspace_id",
    }
}
