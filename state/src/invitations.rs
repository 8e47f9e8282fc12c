//! Tokens of invitations. They are derived from the master key, and `secret.invitations` has their hashes.

use domain::ids::{InvitationId, WorkspaceId};
use keyring::MasterKey;
use sqlx::PgPool;

use super::StateError;
use super::token::Token;

/// Issues the tokens of invitations, and finds the invitation of a token.
#[derive(Clone)]
pub struct InvitationTokens {
    pool: PgPool,
    key: MasterKey,
}

impl InvitationTokens {
    /// The invitations in this database, with tokens under this key.
    #[must_use]
    pub fn new(pool: PgPool, key: MasterKey) -> Self {
        Self { pool, key }
    }

    /// Returns the token of an invitation. It is always the same.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn give_out(&self, workspace_id: WorkspaceId, invitation_id: InvitationId) -> Result<Token, StateError> {
        let token = Token::of_invitation(&self.key, invitation_id.0);
        sqlx::query!(
            "INSERT INTO secret.invitations (token_hash, invitation_id, workspace_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &token.hash().0[..],
            invitation_id.0,
            workspace_id.0,
        )
        .execute(&self.pool)
        .await?;
        Ok(token)
    }

    /// Finds the invitation of a token.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn find(&self, token: &Token) -> Result<Option<(WorkspaceId, InvitationId)>, StateError> {
        let found = sqlx::query!("SELECT workspace_id, invitation_id FROM secret.invitations WHERE token_hash = $1", &token.hash().0[..])
            .fetch_optional(&self.pool)
            .await?;
        Ok(found.map(|row| (row.workspace_id.into(), row.invitation_id.into())))
    }
}
