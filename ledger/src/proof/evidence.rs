//! Whether the log was signed before, with a key that is gone.
//!
//! The server makes the first key of a new log by itself. It makes no key for a log that was signed before: an auditor
//! could not tell the new key from a forger's (docs/decisions/0037-a-new-signing-key-is-a-decision.md).

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::key_error::KeyError;

/// How much older than the database the first event of a new log may be. The clocks of the server and of Postgres
/// differ.
const CLOCKS_DIFFER_MAX: TimeDelta = TimeDelta::hours(1);

/// A key that the log or the database mentions, and why it is known.
pub(super) struct Known {
    /// The key that the log recorded last, and when.
    pub(super) recorded: Option<(String, DateTime<Utc>)>,
    /// A key that is in `secret.proof_keys`.
    pub(super) private: Option<String>,
    /// When the first event was recorded, if it is older than the database.
    older_event_at: Option<DateTime<Utc>>,
}

/// Refuses a log that was signed before, if no key is published.
pub(super) async fn check_that_no_key_is_gone(connection: &mut PgConnection) -> Result<(), KeyError> {
    let known = known(connection).await?;
    match (known.recorded, known.private, known.older_event_at) {
        (Some((vkey, _)), ..) => Err(KeyError::Gone(format!("the log records that {vkey} signs it, and proof.keys is empty"))),
        (_, Some(vkey), _) => Err(KeyError::Gone(format!("secret.proof_keys has the private key of {vkey}, and proof.keys is empty"))),
        (.., Some(at)) => Err(KeyError::Gone(format!(
            "its first event is from {}, before this database had signing keys, and proof.keys is empty",
            at.format("%F %T UTC")
        ))),
        _ => Ok(()),
    }
}

/// Refuses if the log records a key that is not published: then the published keys come from an older backup than the
/// log. A key that was made after that event is an operator's decision.
pub(super) async fn check_recorded(connection: &mut PgConnection) -> Result<(), KeyError> {
    let Some((vkey, recorded_at)) = known(&mut *connection).await?.recorded else { return Ok(()) };
    let is_published =
        sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM proof.keys WHERE vkey = $1 OR created_at > $2) AS "is!""#, vkey, recorded_at);
    if is_published.fetch_one(connection).await? {
        return Ok(());
    }
    Err(KeyError::Gone(format!("the log records that {vkey} signs it, and proof.keys has only older keys")))
}

/// Reads what is known about earlier keys.
pub(super) async fn known(connection: &mut PgConnection) -> Result<Known, KeyError> {
    let recorded = sqlx::query!(
        r#"SELECT payload #>> '{installation.proof_key_rotated,vkey}' AS "vkey!", recorded_at FROM events
           WHERE aggregate_type = 'installation' AND event_type = 'installation.proof_key_rotated' ORDER BY sequence DESC LIMIT 1"#
    );
    let recorded = recorded.fetch_optional(&mut *connection).await?.map(|row| (row.vkey, row.recorded_at));
    let private = sqlx::query_scalar!("SELECT vkey FROM secret.proof_keys ORDER BY vkey LIMIT 1").fetch_optional(&mut *connection).await?;
    let first_event_at = sqlx::query_scalar!("SELECT recorded_at FROM events ORDER BY position LIMIT 1");
    let first_event_at = first_event_at.fetch_optional(&mut *connection).await?;
    let since = sqlx::query_scalar!("SELECT since FROM signing_keys_recorded").fetch_optional(connection).await?;
    let older_event_at = first_event_at.filter(|at| since.is_some_and(|since| *at + CLOCKS_DIFFER_MAX < since));
    Ok(Known { recorded, private, older_event_at })
}
