-- A writer whose clock is ahead appends nothing. The times of events increase with their positions, so one fast clock would shift the time
-- of every later event, and with it the place of every later message.
--
-- As it was, with the check: the first time of a batch is the writer's clock, or a microsecond after the last event. The first may be
-- 5 seconds ahead of the database's clock. The second is always allowed, so that a log whose last event is ahead goes on.
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
    v_recorded_at timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(4701);
    SELECT position, recorded_at INTO v_head, v_recorded_at FROM events ORDER BY position DESC LIMIT 1;
    v_head := coalesce(v_head, 0);
    IF v_head <> p_expected_head THEN
        RETURN v_head;
    END IF;
    IF p_recorded_ats[1] > greatest(clock_timestamp() + interval '5 seconds', v_recorded_at + interval '1 microsecond') THEN
        RAISE EXCEPTION 'the clock of the writer is % ahead of the clock of the database', p_recorded_ats[1] - clock_timestamp()
            USING ERRCODE = 'BS001';
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
