//! The search projector writes the documents that events change. It reads the rows after the relational projection has
//! applied the same events.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use domain::{ChannelEvent, Event, MessageEvent, Recorded, RetentionEvent, UserEvent, WorkspaceEvent};
use elasticsearch::http::Method;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use sqlx::PgConnection;
use stores::elasticsearch::ElasticError;
use uuid::Uuid;

use super::bulk::{self, Limits, Write};
use super::documents::{Document, Family};
use super::indices::Model;
use super::node::IndexUse;
use super::rows::{self, Scan};
use super::{Elastic, models, rebuild};
use crate::connections::Connections;
use crate::engine::projector::{ApplyError, Projector};
use crate::relational;

/// The projection's name.
pub(crate) const NAME: &str = "search";

/// The projection's version. Raise it when the same rows make other documents than before. The live indices are then
/// filled again.
pub(crate) const VERSION: i32 = 4;

/// The name under which a rebuild keeps its checkpoint and its parked keys.
pub(super) const NEXT_NAME: &str = "search.next";

/// How long to wait for the rows. The transaction stays open meanwhile, so the wait is limited; then the batch is tried
/// again.
const ROWS_WAIT_MAX: Duration = Duration::from_secs(10);

/// The projector of the documents.
pub(crate) struct SearchProjector {
    stores: Connections,
    elastic: Elastic,
    target: Target,
    /// Workspaces' own indices that are known to exist.
    known: HashSet<String>,
}

/// The indices that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// The live indices.
    Live,
    /// The indices that a rebuild fills.
    Building(i64),
}

/// The documents that some events change.
#[derive(Debug, Default)]
struct ChangedDocuments {
    messages: BTreeSet<Uuid>,
    /// Messages whose roots are known only after they are read.
    deleted: BTreeSet<Uuid>,
    members: BTreeSet<(Uuid, Uuid)>,
    /// People whose data is in the documents of all their memberships.
    people: BTreeSet<Uuid>,
    /// People whose names may have changed. All their messages contain the name.
    renamed_people: BTreeSet<Uuid>,
    /// People who were erased. Their messages contain their names and texts.
    erased_people: BTreeSet<Uuid>,
    /// Channels whose names have changed. All their messages contain the name.
    renamed_channels: BTreeSet<Uuid>,
}

impl SearchProjector {
    /// The projector of the live indices.
    pub(crate) fn live(stores: &Connections, elastic: &Elastic) -> Self {
        Self { stores: stores.clone(), elastic: elastic.clone(), target: Target::Live, known: HashSet::new() }
    }

    /// The projector of the indices that a rebuild fills.
    pub(super) fn next(stores: &Connections, elastic: &Elastic, model_id: i64) -> Self {
        Self { target: Target::Building(model_id), ..Self::live(stores, elastic) }
    }

    async fn apply_events(&mut self, tx: &mut PgConnection, events: &[&Recorded<Event>]) -> Result<(), ApplyError> {
        let Some(last) = events.last() else { return Ok(()) };
        let changed = ChangedDocuments::by(events);
        self.wait_for_rows(last.position).await?;
        let model = self.model(tx).await?;
        let documents = changed.read(tx).await?;
        let renamed = self.renamed(&model, &changed.renamed_people, &documents).await.map_err(other_store)?;
        for user_id in renamed.into_iter().chain(changed.erased_people.iter().copied()) {
            self.write_scan(tx, &model, Scan::MessagesOfUser(user_id)).await?;
        }
        for channel_id in &changed.renamed_channels {
            self.write_scan(tx, &model, Scan::MessagesOfChannel(*channel_id)).await?;
        }
        if self.target == Target::Live {
            self.write_refreshes(tx, &model).await?;
        }
        // Written after the messages that contain the name: if a member's document has the new name, all messages have
        // it.
        self.write(tx, &model, &documents).await
    }

    async fn wait_for_rows(&self, position: i64) -> Result<(), ApplyError> {
        let waited = self.stores.progress.wait_for(relational::NAME, position, ROWS_WAIT_MAX).await;
        waited.map(drop).map_err(|source| ApplyError::OtherStore { store: "the relational projection", source: Box::new(source) })
    }

    async fn model(&self, tx: &mut PgConnection) -> Result<Model, ApplyError> {
        let prefix = &self.elastic.settings.prefix;
        let model = match self.target {
            Target::Live => models::live(tx, prefix).await?,
            Target::Building(model_id) => models::read(tx, prefix, model_id).await?,
        };
        model.ok_or_else(|| other_store(ElasticError::Lost("the indices that the projection writes to".into())))
    }

    /// Returns the people whose documents have another name than their rows.
    async fn renamed(&self, model: &Model, people: &BTreeSet<Uuid>, documents: &[Document]) -> Result<BTreeSet<Uuid>, ElasticError> {
        let mut renamed = BTreeSet::new();
        for user_id in people {
            let ending = format!(":{user_id}");
            if let Some(row) = documents.iter().find(|document| document.family == Family::Users && document.id.ends_with(&ending)) {
                let stored = self.stored(model, row).await?;
                let now = serde_json::from_slice::<Value>(&row.source).unwrap_or_default();
                if ["username", "display_name"].iter().any(|name| stored[name] != now[name]) {
                    renamed.insert(*user_id);
                }
            }
        }
        Ok(renamed)
    }

    /// Returns the stored document, or null if it does not exist.
    async fn stored(&self, model: &Model, document: &Document) -> Result<Value, ElasticError> {
        let Some(index) = model.written_to(document).into_iter().next() else { return Ok(Value::Null) };
        let path = format!("/{}/_doc/{}", model.writing(&index), document.id);
        match self.elastic.client.ask(Method::Get, &path, None).await {
            Ok(mut found) => Ok(found["_source"].take()),
            Err(error) if error.is_missing() => Ok(Value::Null),
            Err(error) => Err(error),
        }
    }

    /// Writes the documents of rows that have changed without an event.
    async fn write_refreshes(&mut self, tx: &mut PgConnection, model: &Model) -> Result<(), ApplyError> {
        for key in models::take_refreshes(tx).await? {
            let Some((kind, Ok(id))) = key.split_once(':').map(|(kind, id)| (kind, id.parse::<Uuid>())) else { continue };
            let scans = match kind {
                "workspace" => vec![Scan::MembersOfWorkspace(id), Scan::MessagesOfWorkspace(id)],
                _ => vec![Scan::MessagesOfUser(id)],
            };
            for scan in scans {
                self.write_scan(tx, model, scan).await?;
            }
            let memberships = rows::memberships(tx, &[id]).await?;
            self.write(tx, model, &memberships).await?;
        }
        Ok(())
    }

    /// Writes all documents of a scan.
    async fn write_scan(&mut self, tx: &mut PgConnection, model: &Model, scan: Scan) -> Result<(), ApplyError> {
        let mut after = Some(Uuid::nil());
        while let Some(from) = after {
            let chunk = rows::scan(tx, scan, from).await?;
            self.write(tx, model, &chunk.documents).await?;
            after = chunk.last;
        }
        Ok(())
    }

    /// Writes documents, and records those that are rejected for their content.
    pub(super) async fn write(&mut self, tx: &mut PgConnection, model: &Model, documents: &[Document]) -> Result<(), ApplyError> {
        if documents.is_empty() {
            return Ok(());
        }
        let rejections = self.write_out(model, documents).await.map_err(other_store)?;
        for rejection in &rejections {
            tracing::error!(document = rejection.id, reason = rejection.reason, "elasticsearch rejects a document");
        }
        Ok(models::note(tx, model.model_id, documents, &rejections).await?)
    }

    async fn write_out(&mut self, model: &Model, documents: &[Document]) -> Result<Vec<bulk::Rejection>, ElasticError> {
        for (index, place, workspace_id) in model.of_workspaces(documents) {
            if !self.known.contains(&model.concrete(&index)) {
                let is_read = self.target == Target::Live && model.is_read_from(place, workspace_id);
                let alias = is_read.then(|| model.alias_of_workspace(place, workspace_id));
                let used = if self.target == Target::Live { IndexUse::Searching } else { IndexUse::Filling };
                self.elastic.ensure_index(model, &index, alias.as_deref(), used).await?;
                self.known.insert(model.concrete(&index));
            }
        }
        let writes = documents.iter().flat_map(|document| {
            let indices = model.written_to(document).into_iter();
            indices.map(move |index| Write { index: model.writing(&index), document })
        });
        let limits = Limits { bytes: self.elastic.settings.bulk_bytes, documents: self.elastic.settings.bulk_documents };
        bulk::write(&self.elastic.client, limits, writes.collect()).await
    }
}

impl Projector for SearchProjector {
    fn name(&self) -> &'static str {
        match self.target {
            Target::Live => NAME,
            Target::Building(_) => NEXT_NAME,
        }
    }

    /// Prepares the indices: uses the live ones if all exist. Otherwise it builds new ones beside what is left.
    fn prepare(&mut self) -> BoxFuture<'_, Result<(), ApplyError>> {
        async {
            self.known.clear();
            rebuild::ensure_live(&self.stores, &self.elastic).await
        }
        .boxed()
    }

    fn apply<'a>(&'a mut self, tx: &'a mut PgConnection, events: &'a [&'a Recorded<Event>]) -> BoxFuture<'a, Result<(), ApplyError>> {
        self.apply_events(tx, events).boxed()
    }
}

pub(super) fn other_store(error: ElasticError) -> ApplyError {
    ApplyError::OtherStore { store: "elasticsearch", source: Box::new(error) }
}

impl ChangedDocuments {
    fn by(events: &[&Recorded<Event>]) -> Self {
        let mut changed = Self::default();
        for event in events {
            changed.note(event);
        }
        changed
    }

    fn note(&mut self, event: &Recorded<Event>) {
        let id = event.stream.id;
        match &event.event {
            Event::User(happened) => self.note_user(id, happened),
            Event::Workspace(happened) => self.note_workspace(id, happened),
            Event::Channel(happened) => self.note_channel(id, happened),
            Event::Message(happened) => self.note_message(id, happened),
            Event::Retention(RetentionEvent::Applied(applied)) => self.messages.extend(applied.messages.iter().map(|id| id.0)),
            Event::Session(_) | Event::Audit(_) | Event::Installation(_) => {}
        }
    }

    fn note_user(&mut self, id: Uuid, event: &UserEvent) {
        match event {
            UserEvent::ProfileChanged(_) => {
                self.people.insert(id);
                self.renamed_people.insert(id);
            }
            UserEvent::Suspended { .. } | UserEvent::Reactivated {} => drop(self.people.insert(id)),
            UserEvent::Erased { .. } => {
                self.people.insert(id);
                self.erased_people.insert(id);
            }
            UserEvent::Registered(_)
            | UserEvent::PreferencesChanged(_)
            | UserEvent::StatusChanged { .. }
            | UserEvent::MadeOperator {}
            | UserEvent::OperatorRemoved {}
            | UserEvent::PasswordReset {}
            | UserEvent::ErasureProposed { .. }
            | UserEvent::ErasureRequested { .. }
            | UserEvent::ErasureCancelled { .. } => {}
        }
    }

    fn note_workspace(&mut self, id: Uuid, event: &WorkspaceEvent) {
        match event {
            WorkspaceEvent::MemberJoined { user_id, .. }
            | WorkspaceEvent::MemberRoleChanged { user_id, .. }
            | WorkspaceEvent::MemberDetailsChanged { user_id, .. }
            | WorkspaceEvent::MemberDeactivated { user_id }
            | WorkspaceEvent::MemberReactivated { user_id } => drop(self.members.insert((id, user_id.0))),
            WorkspaceEvent::HandedOver { from, to } => self.members.extend([(id, from.0), (id, to.0)]),
            WorkspaceEvent::Created { .. }
            | WorkspaceEvent::DetailsChanged(_)
            | WorkspaceEvent::DomainChanged { .. }
            | WorkspaceEvent::SettingsChanged(_)
            | WorkspaceEvent::PlanChanged { .. }
            | WorkspaceEvent::MemberInvited { .. }
            | WorkspaceEvent::InvitationRevoked { .. }
            | WorkspaceEvent::MemberPermissionsChanged { .. }
            | WorkspaceEvent::HoldPlaced { .. }
            | WorkspaceEvent::HoldReleased { .. }
            | WorkspaceEvent::EmojiAdded { .. }
            | WorkspaceEvent::EmojiRemoved { .. } => {}
        }
    }

    fn note_channel(&mut self, id: Uuid, event: &ChannelEvent) {
        match event {
            ChannelEvent::Renamed { .. } => drop(self.renamed_channels.insert(id)),
            ChannelEvent::Created(_)
            | ChannelEvent::TopicChanged { .. }
            | ChannelEvent::PurposeChanged { .. }
            | ChannelEvent::DescriptionChanged { .. }
            | ChannelEvent::SettingsChanged(_)
            | ChannelEvent::MemberJoined { .. }
            | ChannelEvent::MemberLeft { .. }
            | ChannelEvent::MemberRemoved { .. }
            | ChannelEvent::MemberRoleChanged { .. }
            | ChannelEvent::NotificationLevelChanged { .. }
            | ChannelEvent::Archived { .. }
            | ChannelEvent::Unarchived { .. } => {}
        }
    }

    fn note_message(&mut self, id: Uuid, event: &MessageEvent) {
        self.messages.insert(id);
        match event {
            MessageEvent::Posted(posting) => self.messages.extend(posting.thread_id.map(|root| root.0)),
            MessageEvent::Deleted { .. } | MessageEvent::Purged { .. } => drop(self.deleted.insert(id)),
            MessageEvent::Edited { .. }
            | MessageEvent::Pinned { .. }
            | MessageEvent::Unpinned { .. }
            | MessageEvent::Reacted { .. }
            | MessageEvent::ReactionRemoved { .. } => {}
        }
    }

    /// Reads the rows of the changed documents.
    async fn read(&self, tx: &mut PgConnection) -> sqlx::Result<Vec<Document>> {
        let mut documents = Vec::new();
        let mut ids = self.messages.iter().copied().collect::<Vec<_>>();
        while !ids.is_empty() {
            let found = rows::messages(tx, &ids).await?;
            // A deleted answer is no longer counted at its root.
            let is_deleted = |document: &Document| document.id.parse().is_ok_and(|id| self.deleted.contains(&id));
            let roots = found.iter().filter(|(document, _)| is_deleted(document)).filter_map(|(_, root)| *root);
            let roots = roots.filter(|root| !self.messages.contains(root)).collect::<BTreeSet<_>>();
            documents.extend(found.into_iter().map(|(document, _)| document));
            ids = roots.into_iter().collect();
        }
        if !self.members.is_empty() {
            documents.extend(rows::members(tx, &self.members.iter().copied().collect::<Vec<_>>()).await?);
        }
        if !self.people.is_empty() {
            documents.extend(rows::memberships(tx, &self.people.iter().copied().collect::<Vec<_>>()).await?);
        }
        Ok(documents)
    }
}
