//! Claims: names that must be unique. They are taken and released in the transaction of the events that do so.

use std::collections::HashMap;

use domain::ids::WorkspaceId;
use keyring::Keyring;
use sqlx::{PgExecutor, PgPool, query};
use uuid::Uuid;

use super::StoreError;

/// The kind of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimKind {
    /// A user's mail address, without case.
    Email,
    /// A user's name, without case.
    Username,
    /// The look of a user's name.
    UsernameTwin,
    /// A workspace's domain.
    WorkspaceDomain,
    /// A channel's name in its workspace.
    ChannelName,
    /// The look of a channel's name in its workspace.
    ChannelNameTwin,
    /// The participants of a direct or group conversation in its workspace.
    People,
    /// The place of the first user of this server.
    FirstUser,
    /// A number among the workspaces that a user created.
    WorkspaceSlot,
    /// A number among the channels that a user created in a workspace.
    ChannelSlot,
}

impl ClaimKind {
    const ALL: [Self; 10] = [
        Self::Email,
        Self::Username,
        Self::UsernameTwin,
        Self::WorkspaceDomain,
        Self::ChannelName,
        Self::ChannelNameTwin,
        Self::People,
        Self::FirstUser,
        Self::WorkspaceSlot,
        Self::ChannelSlot,
    ];

    /// Its name in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Username => "username",
            Self::UsernameTwin => "username_twin",
            Self::WorkspaceDomain => "workspace_domain",
            Self::ChannelName => "channel_name",
            Self::ChannelNameTwin => "channel_name_twin",
            Self::People => "people",
            Self::FirstUser => "first_user",
            Self::WorkspaceSlot => "workspace_slot",
            Self::ChannelSlot => "channel_slot",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A name that at most one user, channel or workspace may hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    /// The kind.
    pub kind: ClaimKind,
    /// The scope in which it is unique: a workspace, or nil for the whole server.
    pub scope: Uuid,
    /// The name, in the form that names are compared in.
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

    /// The change that a user, a channel or a workspace takes the claim.
    #[must_use]
    pub fn taken_by(self, holder: impl Into<Uuid>) -> ClaimChange {
        ClaimChange::Take(self, holder.into())
    }
}

/// A change of a claim. Releases come before takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimChange {
    /// The holder takes it.
    Take(Claim, Uuid),
    /// Its holder releases it.
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

/// A claim in its stored form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stored {
    pub kind: &'static str,
    pub scope: Uuid,
    pub value: String,
}

/// The prefix of a blinded value. Neither a mail address nor a name can start with it.
const BLINDED: &str = "hmac:";

/// How many claims from before there were keys are blinded in one step.
const BLINDED_AT_ONCE: i64 = 1_000;

impl Claim {
    /// The stored form. A value that identifies a user is blinded under the installation's key, so that no copy of the
    /// table shows the users of this server.
    pub(super) fn stored(&self, keys: &Keyring) -> Stored {
        let value = match self.kind {
            ClaimKind::Email | ClaimKind::Username | ClaimKind::UsernameTwin => blinded(keys, self.kind.as_str(), &self.value),
            ClaimKind::WorkspaceDomain
            | ClaimKind::ChannelName
            | ClaimKind::ChannelNameTwin
            | ClaimKind::People
            | ClaimKind::FirstUser
            | ClaimKind::WorkspaceSlot
            | ClaimKind::ChannelSlot => self.value.clone(),
        };
        Stored { kind: self.kind.as_str(), scope: self.scope, value }
    }
}

fn blinded(keys: &Keyring, kind: &str, value: &str) -> String {
    format!("{BLINDED}{}", hex::encode(keys.blind(&[kind.as_bytes(), value.as_bytes()])))
}

/// Blinds the claims from before there were keys.
pub(super) async fn blind_old(pool: &PgPool, keys: &Keyring) -> Result<(), StoreError> {
    loop {
        let old = query!(
            "SELECT kind, scope, value FROM claims WHERE kind IN ('email', 'username') AND NOT starts_with(value, $1) LIMIT $2",
            BLINDED,
            BLINDED_AT_ONCE,
        );
        let old = old.fetch_all(pool).await?;
        if old.is_empty() {
            return Ok(());
        }
        query!(
            "UPDATE claims SET value = old.blinded
             FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[]) AS old (kind, scope, value, blinded)
             WHERE claims.kind = old.kind AND claims.scope = old.scope AND claims.value = old.value",
            &old.iter().map(|row| row.kind.clone()).collect::<Vec<_>>(),
            &old.iter().map(|row| row.scope).collect::<Vec<_>>(),
            &old.iter().map(|row| row.value.clone()).collect::<Vec<_>>(),
            &old.iter().map(|row| blinded(keys, &row.kind, &row.value)).collect::<Vec<_>>(),
        )
        .execute(pool)
        .await?;
    }
}

/// Returns the holders of those of the claims that are held.
pub(super) async fn holders(pool: impl PgExecutor<'_>, keys: &Keyring, claims: &[Claim]) -> Result<HashMap<Claim, Uuid>, StoreError> {
    let stored = claims.iter().map(|claim| claim.stored(keys)).collect::<Vec<_>>();
    let kinds = stored.iter().map(|c| c.kind.to_owned()).collect::<Vec<_>>();
    let scopes = stored.iter().map(|c| c.scope).collect::<Vec<_>>();
    let values = stored.iter().map(|c| c.value.clone()).collect::<Vec<_>>();
    let rows = query!(
        "SELECT kind, scope, value, holder FROM claims
         JOIN unnest($1::text[], $2::uuid[], $3::text[]) AS asked (kind, scope, value) USING (kind, scope, value)",
        &kinds,
        &scopes,
        &values,
    )
    .fetch_all(pool)
    .await?;
    let asked = stored.into_iter().zip(claims).collect::<HashMap<_, _>>();
    let held = rows.into_iter().filter_map(|row| {
        let kind = ClaimKind::named(&row.kind)?.as_str();
        let claim = asked.get(&Stored { kind, scope: row.scope, value: row.value })?;
        Some(((*claim).clone(), row.holder))
    });
    Ok(held.collect())
}
