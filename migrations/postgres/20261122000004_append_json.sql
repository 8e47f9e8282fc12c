-- The append function takes documents as JSON, not as text to be parsed again, and walks its arrays in step instead of storing each aside.
-- Measured in Postgres, without the commit: one event 63 microseconds before and 32 after, 250 events 1.47 ms and 1.20 ms.

DROP FUNCTION append_events(
    bigint, text[], text[], bigint[], text[], text[], text[], text[], uuid[], uuid[], timestamptz[], bytea[],
    text[], uuid[], text[], text[], uuid[], text[], uuid[], uuid[], text[], bytea[], bigint[], uuid[]);

-- Appends a batch behind `p_expected_head`, all or nothing, and returns that head.
-- Where the log ends elsewhere, another node has written: it appends nothing, and returns where the log ends.
-- All writers of all nodes queue at the lock, so that positions have no gap and are in order of commit.
-- What is unique (a stream's sequence, a claim, a key) is held by the primary keys: a violation fails the whole call.
CREATE FUNCTION append_events(
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
