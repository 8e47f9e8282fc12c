-- Erasing people: when somebody is to be erased, and the end of their keys in the very transaction of the event that says so.

ALTER TABLE read.users ADD COLUMN erasure_due_at TIMESTAMPTZ; -- from when on they are erased, unless that is cancelled before
CREATE INDEX idx_users_erasure_due_at ON read.users (erasure_due_at) WHERE erasure_due_at IS NOT NULL;

-- As it was, and with `user.erased` go the keys of that user and of the invitations that they had accepted. An event without the end of the
-- keys, or the end of the keys without the event, there is not.
CREATE OR REPLACE FUNCTION append_events(
    p_expected_head   bigint,
    p_aggregate_types text[], p_aggregate_ids text[], p_sequences bigint[], p_event_types text[], p_event_versions text[],
    p_payloads json[], p_metadata json[], p_event_ids uuid[], p_workspace_ids uuid[], p_recorded_ats timestamptz[], p_digests bytea[],
    p_released_kinds text[], p_released_scopes uuid[], p_released_values text[],
    p_taken_kinds text[], p_taken_scopes uuid[], p_taken_values text[], p_taken_holders uuid[],
    p_key_actors uuid[], p_keys text[], p_key_fingerprints bytea[], p_key_positions bigint[], p_key_subjects uuid[]
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_head bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(4701);
    SELECT coalesce(max(position), 0) INTO v_head FROM events;
    IF v_head <> p_expected_head THEN
        RETURN v_head;
    END IF;

    -- The keys first: what was asked before is found out before anything else can be in its way.
    IF cardinality(p_keys) > 0 THEN
        INSERT INTO idempotency_keys (actor_id, key, fingerprint, position, subject)
        SELECT * FROM unnest(p_key_actors, p_keys, p_key_fingerprints, p_key_positions, p_key_subjects);
    END IF;

    IF cardinality(p_released_kinds) > 0 THEN
        DELETE FROM claims USING unnest(p_released_kinds, p_released_scopes, p_released_values) AS released (kind, scope, value)
        WHERE claims.kind = released.kind AND claims.scope = released.scope AND claims.value = released.value;
    END IF;
    IF cardinality(p_taken_kinds) > 0 THEN
        INSERT INTO claims (kind, scope, value, holder)
        SELECT * FROM unnest(p_taken_kinds, p_taken_scopes, p_taken_values, p_taken_holders);
    END IF;

    IF 'user.erased' = ANY (p_event_types) THEN
        PERFORM destroy_keys(p_aggregate_ids, p_event_types, p_payloads);
    END IF;

    PERFORM set_config('backscroll.appending', 'yes', true);
    INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                        event_id, workspace_id, recorded_at, digest)
    SELECT generate_series(p_expected_head + 1, p_expected_head + cardinality(p_sequences)),
           unnest(p_aggregate_types), unnest(p_aggregate_ids), unnest(p_sequences), unnest(p_event_types), unnest(p_event_versions),
           unnest(p_payloads), unnest(p_metadata), unnest(p_event_ids), unnest(p_workspace_ids), unnest(p_recorded_ats), unnest(p_digests);
    PERFORM set_config('backscroll.appending', '', true);
    RETURN v_head;
END;
$$;

-- Destroys the keys of whoever is erased by those events. Who has none is to get none.
CREATE FUNCTION destroy_keys(p_aggregate_ids text[], p_event_types text[], p_payloads json[]) RETURNS void
LANGUAGE sql SET search_path = public, pg_temp AS $$
    WITH erased AS (
        SELECT aggregate_id::uuid AS user_id, payload FROM unnest(p_aggregate_ids, p_event_types, p_payloads) AS e (aggregate_id, event_type, payload)
        WHERE event_type = 'user.erased'
    ), owners AS (
        SELECT user_id AS owner_id FROM erased
        UNION
        SELECT json_array_elements_text(payload -> 'user.erased' -> 'invitations')::uuid FROM erased
    )
    INSERT INTO secret.person_keys (key_id, owner_id, wrapped, master_id, destroyed_at)
    SELECT gen_random_uuid(), owner_id, NULL, '', now() FROM owners
    ON CONFLICT (owner_id) DO UPDATE SET wrapped = NULL, destroyed_at = coalesce(person_keys.destroyed_at, now());
$$;
