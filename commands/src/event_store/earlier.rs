//! Claims of names from earlier releases, which did not claim how a name looks. Each start makes the missing claims
//! from the log. If two names of earlier releases look alike, one of them holds the claim of the look, and both stay
//! valid.

use std::collections::HashMap;

use domain::personal::{self, Place};
use domain::user::Registration;
use domain::{AggregateType, Event, StreamId, UserEvent};
use keyring::Keyring;
use sqlx::{PgPool, query};
use tracing::{info, warn};
use uuid::Uuid;

use super::claim::Claim;
use super::{StoreError, names};

/// How many names are looked at in one step.
const NAMES_AT_ONCE: i64 = 1_000;

/// Makes the missing claims, and deletes those that a process of an earlier release did not release with a name.
pub(super) async fn claim_looks(pool: &PgPool, keys: &Keyring) -> Result<(), StoreError> {
    delete_left_over(pool).await?;
    let (users, channels) = (claim_looks_of_users(pool, keys).await?, claim_looks_of_channels(pool).await?);
    if users + channels > 0 {
        info!(users, channels, "names of an earlier release were claimed by their look");
    }
    Ok(())
}

async fn delete_left_over(pool: &PgPool) -> Result<(), StoreError> {
    query!(
        "DELETE FROM claims AS look WHERE look.kind IN ('username_twin', 'channel_name_twin') AND NOT EXISTS (
             SELECT FROM claims AS name WHERE name.kind = left(look.kind, -5) AND name.holder = look.holder)"
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// A claim to add, if its holder still holds `name`, a claim of the same kind of thing.
struct Missing {
    claim: Claim,
    holder: Uuid,
    name: (&'static str, Uuid, String),
}

async fn claim_looks_of_users(pool: &PgPool, keys: &Keyring) -> Result<usize, StoreError> {
    let (mut after, mut users) = (String::new(), 0);
    loop {
        let named = query!(
            "SELECT value, holder FROM claims AS name
             WHERE kind = 'username' AND scope = '00000000-0000-0000-0000-000000000000' AND value > $1
             AND NOT EXISTS (SELECT FROM claims AS look WHERE look.kind = 'username_twin' AND look.holder = name.holder)
             ORDER BY value LIMIT $2",
            after,
            NAMES_AT_ONCE,
        );
        let named = named.fetch_all(pool).await?;
        let Some(last) = named.last() else { return Ok(users) };
        after.clone_from(&last.value);
        let registrations = registrations(pool, keys, &named.iter().map(|row| row.holder).collect::<Vec<_>>()).await?;
        users += registrations.len();
        let missing = named.into_iter().flat_map(|row| {
            let claims = registrations.get(&row.holder).map(|known| names::ever_of_user(&known.email, &known.username));
            claims.into_iter().flatten().map(move |claim| {
                let name = ("username", Uuid::nil(), row.value.clone());
                Missing { claim, holder: row.holder, name }
            })
        });
        add(pool, keys, missing.collect()).await?;
    }
}

/// Returns the registrations of those of the users that can be read.
async fn registrations(pool: &PgPool, keys: &Keyring, users: &[Uuid]) -> Result<HashMap<Uuid, Registration>, StoreError> {
    let rows = query!(
        r#"SELECT aggregate_id, event_type, event_version, payload::text AS "payload!" FROM events
           WHERE aggregate_type = 'user' AND aggregate_id = ANY ($1) AND sequence = 1"#,
        &users.iter().map(Uuid::to_string).collect::<Vec<_>>(),
    )
    .fetch_all(pool)
    .await?;
    let sealing = rows.iter().filter_map(|row| personal::key_of(&row.event_type, &row.payload)).collect::<Vec<_>>();
    let keys = keys.fetch(&sealing).await?;
    let mut registrations = HashMap::with_capacity(rows.len());
    for row in rows {
        let Ok(id) = row.aggregate_id.parse::<Uuid>() else { continue };
        let place = Place { stream: StreamId { aggregate: AggregateType::User, id }, sequence: 1, event_type: &row.event_type };
        match Event::decode(&place, &row.event_version, &row.payload, &keys) {
            Ok(Event::User(UserEvent::Registered(registration))) => drop(registrations.insert(id, *registration)),
            Ok(_) => {}
            Err(error) => warn!(user.id = %id, %error, "the look of a username was not claimed, because the registration cannot be read"),
        }
    }
    Ok(registrations)
}

async fn claim_looks_of_channels(pool: &PgPool) -> Result<usize, StoreError> {
    let (mut scope, mut after, mut channels) = (Uuid::nil(), String::new(), 0);
    loop {
        let named = query!(
            "SELECT scope, value, holder FROM claims AS name
             WHERE kind = 'channel_name' AND (scope, value) > ($1, $2)
             AND NOT EXISTS (SELECT FROM claims AS look WHERE look.kind = 'channel_name_twin' AND look.holder = name.holder)
             ORDER BY scope, value LIMIT $3",
            scope,
            after,
            NAMES_AT_ONCE,
        );
        let named = named.fetch_all(pool).await?;
        let Some(last) = named.last() else { return Ok(channels) };
        (scope, channels) = (last.scope, channels + named.len());
        after.clone_from(&last.value);
        let missing = named.into_iter().flat_map(|row| {
            let claims = names::twins_of_channel(row.scope.into(), &row.value).collect::<Vec<_>>();
            claims.into_iter().map(move |claim| {
                let name = ("channel_name", row.scope, row.value.clone());
                Missing { claim, holder: row.holder, name }
            })
        });
        // Names of channels are not blinded, so no key is needed.
        add_stored(pool, missing.map(|missing| (missing.claim.kind.as_str(), missing.claim.value.clone(), missing)).collect()).await?;
    }
}

async fn add(pool: &PgPool, keys: &Keyring, missing: Vec<Missing>) -> Result<(), StoreError> {
    let stored = missing.into_iter().map(|missing| {
        let stored = missing.claim.stored(keys);
        (stored.kind, stored.value, missing)
    });
    add_stored(pool, stored.collect()).await
}

/// Adds those of the claims that nobody holds, and whose holder still has the name. Claims change under the lock of the
/// appender only, so no name is released meanwhile.
async fn add_stored(pool: &PgPool, missing: Vec<(&'static str, String, Missing)>) -> Result<(), StoreError> {
    let column = |of: fn(&(&'static str, String, Missing)) -> String| missing.iter().map(of).collect::<Vec<_>>();
    let mut tx = pool.begin().await?;
    query!("SELECT pg_advisory_xact_lock(4701)").execute(&mut *tx).await?;
    query!(
        "INSERT INTO claims (kind, scope, value, holder)
         SELECT DISTINCT ON (new.kind, name.scope, new.value) new.kind, name.scope, new.value, new.holder
         FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::uuid[], $6::text[])
              AS new (kind, value, holder, name_kind, name_scope, name_value)
         JOIN claims AS name ON name.kind = new.name_kind AND name.scope = new.name_scope AND name.value = new.name_value
              AND name.holder = new.holder
         ON CONFLICT DO NOTHING",
        &column(|(kind, ..)| (*kind).to_owned()),
        &column(|(_, value, _)| value.clone()),
        &missing.iter().map(|(.., missing)| missing.holder).collect::<Vec<_>>(),
        &column(|(.., missing)| missing.name.0.to_owned()),
        &missing.iter().map(|(.., missing)| missing.name.1).collect::<Vec<_>>(),
        &column(|(.., missing)| missing.name.2.clone()),
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}
