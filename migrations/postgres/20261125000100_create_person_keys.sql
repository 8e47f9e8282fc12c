-- The keys that seal what is personal in the log (docs/decisions/0011-personal-parts-are-sealed.md). A key that is destroyed is lost for every
-- copy of the log, backups too: so this table is backed up apart from the log, and its backups are kept for a shorter time.

CREATE TABLE secret.person_keys (
    -- The name under which sealed parts mention the key.
    key_id       uuid        PRIMARY KEY,
    -- Whose it is: a user, an invitation that nobody may have accepted yet, or the nil UUID for the installation itself.
    owner_id     uuid        NOT NULL UNIQUE,
    -- The key, sealed under the master key; nothing once it is destroyed. The row stays, so that nobody gets another one.
    wrapped      bytea,
    -- Which master key wrapped it: the beginning of a hash of it.
    master_id    bytea       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);

-- Folds from before could hold what is personal as it was.
DELETE FROM snapshots;
