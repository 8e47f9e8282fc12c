-- The event store: the log, and what must be true at the instant of an append. The format of `events` is that of postgres-es, widened.
-- Nothing here is ever updated or deleted by the application, but for claims that are released.

CREATE TABLE events (
    -- Gapless, in order of commit, from 1.
    position       bigint      NOT NULL,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    -- Gapless in its stream, from 1.
    sequence       bigint      NOT NULL CHECK (sequence >= 1),
    event_type     text        NOT NULL,
    event_version  text        NOT NULL,
    -- json, not jsonb: the digest is over the stored bytes.
    payload        json        NOT NULL,
    metadata       json        NOT NULL,
    event_id       uuid        NOT NULL,
    workspace_id   uuid,
    -- Strictly increasing with the position.
    recorded_at    timestamptz NOT NULL,
    -- SHA-256 over the stored event: commands/src/event_store/digest.rs.
    digest         bytea       NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (aggregate_type, aggregate_id, sequence)
);

CREATE UNIQUE INDEX events_position ON events (position);

-- Names that must be unique: who holds which. `scope` is the workspace, or the nil UUID for what is unique on the whole server.
CREATE TABLE claims (
    kind   text NOT NULL,
    scope  uuid NOT NULL,
    value  text NOT NULL,
    holder uuid NOT NULL,
    CONSTRAINT claims_pkey PRIMARY KEY (kind, scope, value)
);

-- What was asked under which key, and what came of it.
CREATE TABLE idempotency_keys (
    actor_id       uuid   NOT NULL,
    key            text   NOT NULL,
    -- SHA-256 over the request: the same key with another request is refused.
    fingerprint    bytea  NOT NULL,
    -- The position of the last event that came of it.
    position       bigint NOT NULL,
    -- What was created, or acted on.
    subject        uuid   NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (actor_id, key)
);

-- An exact fold of a stream up to an exact sequence. Anything wrong with one means a replay, never an error.
CREATE TABLE snapshots (
    aggregate_type text   NOT NULL,
    aggregate_id   text   NOT NULL,
    sequence       bigint NOT NULL,
    -- The hash of the source that the state's shape is written in.
    schema_hash    text   NOT NULL,
    state          json   NOT NULL,
    CONSTRAINT snapshots_pkey PRIMARY KEY (aggregate_type, aggregate_id)
);

-- How far the relay has published, and the last position of each partition: one row.
CREATE TABLE relay_cursor (
    only_row            boolean  PRIMARY KEY DEFAULT true CHECK (only_row),
    position            bigint   NOT NULL,
    partition_positions bigint[] NOT NULL,
    updated_at          timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION refuse_change_of_the_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege', HINT = 'Events are appended through append_events() alone.';
END;
$$;

CREATE TRIGGER events_are_for_ever
    BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_the_log();

CREATE TRIGGER idempotency_keys_are_for_ever
    BEFORE UPDATE OR TRUNCATE ON idempotency_keys
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_the_log();

CREATE TRIGGER events_come_through_the_append_function
    BEFORE INSERT ON events
    FOR EACH STATEMENT WHEN (current_setting('backscroll.appending', true) IS DISTINCT FROM 'yes')
    EXECUTE FUNCTION refuse_change_of_the_log();

-- Appends a batch behind `p_expected_head`, all or nothing, and returns that head.
-- Where the log ends elsewhere, another node has written: it appends nothing, and returns where the log ends.
-- All writers of all nodes queue at the lock, so that positions have no gap and are in order of commit.
-- What is unique (a stream's sequence, a claim, a key) is held by the primary keys: a violation fails the whole call.
CREATE FUNCTION append_events(
    p_expected_head   bigint,
    p_aggregate_types text[], p_aggregate_ids text[], p_sequences bigint[], p_event_types text[], p_event_versions text[],
    p_payloads text[], p_metadata text[], p_event_ids uuid[], p_workspace_ids uuid[], p_recorded_ats timestamptz[], p_digests bytea[],
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
    SELECT p_expected_head + ordinality, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::json, metadata::json,
           event_id, workspace_id, recorded_at, digest
    FROM unnest(p_aggregate_types, p_aggregate_ids, p_sequences, p_event_types, p_event_versions, p_payloads, p_metadata,
                p_event_ids, p_workspace_ids, p_recorded_ats, p_digests)
         WITH ORDINALITY AS batch (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                                   event_id, workspace_id, recorded_at, digest, ordinality);
    PERFORM set_config('backscroll.appending', '', true);
    RETURN v_head;
END;
$$;

-- Where the log ends once no append is under way: what a writer asks that lost its connection in the middle of one.
CREATE FUNCTION settled_head() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(4701);
    RETURN (SELECT coalesce(max(position), 0) FROM events);
END;
$$;
