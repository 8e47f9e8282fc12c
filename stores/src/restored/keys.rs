//! Finds people whose keys are missing, by comparing `secret.person_keys` with the log. Without its key, everything
//! personal of a person reads as erased, and a replay would remove it from the read tables.

use sqlx::{PgExecutor, query};

/// People whose keys are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingKeys {
    /// How many people.
    pub people: i64,
    /// The user who registered first among them.
    pub example: String,
}

impl std::fmt::Display for MissingKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { people, example } = self;
        if *people == 1 {
            write!(f, "the key of the user {example} is missing")?;
        } else {
            write!(f, "the keys of {people} users are missing, for example of {example}")?;
        }
        f.write_str(
            " in secret.person_keys, and their data would read as erased: restore the schema `secret` from the backup of the keys, which must \
             not be older than the backup of the log (docs/OPERATIONS.md, \"Backups and restoring\")",
        )
    }
}

/// Finds users whose registration is sealed, who were not erased, and who have no key. A destroyed key counts as a key:
/// its row stays. Registrations from before there were keys are not sealed.
///
/// # Errors
/// Postgres cannot be used.
pub async fn missing(executor: impl PgExecutor<'_>) -> sqlx::Result<Option<MissingKeys>> {
    // The users without a key come first: that reads two indexes, and takes less than half a second for 100,000 users.
    // Payloads are read of these users only.
    let found = query!(
        r#"WITH keyless AS MATERIALIZED (
               SELECT e.aggregate_id, e.sequence FROM public.events e
               WHERE e.aggregate_type = 'user' AND e.sequence = 1
                 AND NOT EXISTS (SELECT FROM secret.person_keys k WHERE k.owner_id = e.aggregate_id::uuid)
           )
           SELECT count(*) AS "people!", min(e.aggregate_id) AS example
           FROM keyless JOIN public.events e ON e.aggregate_type = 'user' AND e.aggregate_id = keyless.aggregate_id AND e.sequence = keyless.sequence
           WHERE e.payload -> e.event_type -> 'sealed' IS NOT NULL
             AND (SELECT count(*) FROM public.events x
                  WHERE x.aggregate_type = 'user' AND x.aggregate_id = e.aggregate_id AND x.event_type = 'user.erased') = 0"#
    );
    let found = found.fetch_one(executor).await?;
    Ok(found.example.map(|example| MissingKeys { people: found.people, example }))
}

/// How the keys fit the log and a master key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyCounts {
    /// Keys that exist.
    pub present: i64,
    /// Keys that were destroyed, because their owners were erased.
    pub destroyed: i64,
    /// Users for whom the log names another key than the one that exists.
    pub replaced: i64,
    /// Users whom the log says to be erased, and whose keys exist again.
    pub returned: i64,
}

/// Counts the keys. Reads the registration of every user, so it may take seconds.
///
/// # Errors
/// Postgres cannot be used.
pub async fn count(executor: impl PgExecutor<'_>) -> sqlx::Result<KeyCounts> {
    let found = query!(
        r#"SELECT (SELECT count(*) FROM secret.person_keys WHERE wrapped IS NOT NULL) AS "present!",
                  (SELECT count(*) FROM secret.person_keys WHERE wrapped IS NULL) AS "destroyed!",
                  (SELECT count(*) FROM public.events e JOIN secret.person_keys k ON k.owner_id = e.aggregate_id::uuid
                   WHERE e.aggregate_type = 'user' AND e.sequence = 1 AND k.wrapped IS NOT NULL
                     AND split_part(e.payload -> e.event_type ->> 'sealed', '.', 1) <> replace(k.key_id::text, '-', '')) AS "replaced!",
                  (SELECT count(*) FROM public.events e JOIN secret.person_keys k ON k.owner_id = e.aggregate_id::uuid
                   WHERE e.aggregate_type = 'user' AND e.event_type = 'user.erased' AND k.wrapped IS NOT NULL) AS "returned!""#
    );
    let found = found.fetch_one(executor).await?;
    Ok(KeyCounts { present: found.present, destroyed: found.destroyed, replaced: found.replaced, returned: found.returned })
}

/// Destroys again the keys of people whom the log says to be erased: an older backup of the keys has them. Returns their
/// number.
///
/// # Errors
/// Postgres cannot be used.
pub async fn destroy_returned(executor: impl PgExecutor<'_>) -> sqlx::Result<u64> {
    let destroyed = query!(
        "WITH erased AS (
             SELECT aggregate_id::uuid AS user_id, payload FROM public.events WHERE aggregate_type = 'user' AND event_type = 'user.erased'
         ), owners AS (
             SELECT user_id AS owner_id FROM erased
             UNION
             SELECT json_array_elements_text(payload -> 'user.erased' -> 'invitations')::uuid FROM erased
         )
         UPDATE secret.person_keys k SET wrapped = NULL, destroyed_at = now() FROM owners
         WHERE k.owner_id = owners.owner_id AND k.wrapped IS NOT NULL"
    );
    Ok(destroyed.execute(executor).await?.rows_affected())
}
