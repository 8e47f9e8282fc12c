//! Names that must be unique: taken and released in the transaction of the events that do so.

use std::collections::HashMap;

use domain::ids::WorkspaceId;
use sqlx::{PgExecutor, query};
use uuid::Uuid;

use super::StoreError;

/// What kind of name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimKind {
    /// A user's address, without case.
    Email,
    /// A user's name, without case.
    Username,
    /// A workspace's domain.
    WorkspaceDomain,
    /// A channel's name in its workspace.
    ChannelName,
    /// The set of people of a direct or group conversation in its workspace.
    People,
    /// To be the first user of this server.
    FirstUser,
}

impl ClaimKind {
    const ALL: [Self; 6] = [Self::Email, Self::Username, Self::WorkspaceDomain, Self::ChannelName, Self::People, Self::FirstUser];

    /// Its name in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Username => "username",
            Self::WorkspaceDomain => "workspace_domain",
            Self::ChannelName => "channel_name",
            Self::People => "people",
            Self::FirstUser => "first_user",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A name that at most one may hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    /// What kind of name.
    pub kind: ClaimKind,
    /// Where it is unique: a workspace, or nil for the whole server.
    pub scope: Uuid,
    /// The name, in the form in which two are compared.
    pub value: String,
}

impl Claim {
    /// A name that is unique on the whole server.
    #[must_use]
    pub fn on_server(kind: ClaimKind, value: impl Into<String>) -> Self {
        Self { kind, scope: Uuid::nil(), value: value.into() }
    }

    /// A name that is unique in a workspace.
    #[must_use]
    pub fn in_workspace(kind: ClaimKind, workspace_id: WorkspaceId, value: impl Into<String>) -> Self {
        Self { kind, scope: workspace_id.0, value: value.into() }
    }

    /// Taken by that user, channel or workspace.
    #[must_use]
    pub fn taken_by(self, holder: impl Into<Uuid>) -> ClaimChange {
        ClaimChange::Take(self, holder.into())
    }
}

/// What happens to a claim. Releases come before takings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimChange {
    /// Somebody takes it.
    Take(Claim, Uuid),
    /// Whoever holds it lets it go.
    Release(Claim),
}

impl ClaimChange {
    /// The claim that changes.
    #[must_use]
    pub fn claim(&self) -> &Claim {
        match self {
            Self::Take(claim, _) | Self::Release(claim) => claim,
        }
    }
}

/// Who holds those of the claims that are held.
pub(super) async fn holders(pool: impl PgExecutor<'_>, claims: &[Claim]) -> Result<HashMap<Claim, Uuid>, StoreError> {
    let kinds = claims.iter().map(|c| c.kind.as_str().to_owned()).collect::<Vec<_>>();
    let scopes = claims.iter().map(|c| c.scope).collect::<Vec<_>>();
    let values = claims.iter().map(|c| c.value.clone()).collect::<Vec<_>>();
    let rows = query!(
        "SELECT kind, scope, value, holder FROM claims
         JOIN unnest($1::text[], $2::uuid[], $3::text[]) AS asked (kind, scope, value) USING (kind, scope, value)",
        &kinds,
        &scopes,
        &values,
    )
    .fetch_all(pool)
    .await?;
    let held = rows.into_iter().filter_map(|row| {
        let kind = ClaimKind::named(&row.kind)?;
        Some((Claim { kind, scope: row.scope, value: row.value }, row.holder))
    });
    Ok(held.collect())
}
