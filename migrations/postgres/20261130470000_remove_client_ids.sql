-- The identifiers that clients give to messages are kept as keyed hashes (docs/decisions/0035-client-ids-are-kept-as-hashes.md). Those that
-- earlier releases kept in clear are removed from the events, and hashed in the idempotency keys. After the purge and the erasure this is the third
-- lawful change of what is there for ever. Here are its limits, and its trace.

-- From which events an identifier was removed, and at which position the log says so.
CREATE TABLE client_id_removals (
    position   bigint NOT NULL CONSTRAINT client_id_removals_pkey PRIMARY KEY,
    removed_by bigint NOT NULL,
    CONSTRAINT client_id_removals_later CHECK (removed_by > position)
);

CREATE TRIGGER client_id_removals_are_for_ever
    BEFORE UPDATE OR DELETE OR TRUNCATE ON client_id_removals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_the_log();

-- How many idempotency keys were hashed: one row.
CREATE TABLE client_id_keys (
    only_row boolean CONSTRAINT client_id_keys_pkey PRIMARY KEY DEFAULT true CHECK (only_row),
    keys     bigint  NOT NULL
);

-- Finds the keys that are still in clear: none, once all are hashed.
CREATE INDEX idempotency_keys_in_clear ON idempotency_keys (actor_id, key)
    WHERE starts_with(key, 'client_msg_id:') AND NOT starts_with(key, 'client_msg_id:hmac:');

DROP TRIGGER events_change_by_purge_alone ON events;

CREATE TRIGGER events_change_by_purge_alone
    BEFORE UPDATE ON events
    FOR EACH STATEMENT WHEN (coalesce(current_setting('backscroll.purging', true), '') NOT IN ('yes', 'client ids'))
    EXECUTE FUNCTION refuse_change_of_the_log();

DROP TRIGGER events_are_only_emptied ON events;

CREATE TRIGGER events_are_only_emptied
    BEFORE UPDATE ON events
    FOR EACH ROW WHEN (current_setting('backscroll.purging', true) IS DISTINCT FROM 'client ids')
    EXECUTE FUNCTION refuse_more_than_a_purge();

-- The removal of an identifier changes nothing but that identifier, which becomes null.
CREATE FUNCTION refuse_more_than_a_client_id() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_old jsonb := OLD.payload::jsonb;
    v_new jsonb := NEW.payload::jsonb;
BEGIN
    IF OLD.event_type <> 'message.posted'
       OR jsonb_typeof(v_old #> '{message.posted,client_msg_id}') IS DISTINCT FROM 'string'
       OR jsonb_set(v_old, '{message.posted,client_msg_id}', 'null') IS DISTINCT FROM v_new
       OR (to_jsonb(OLD) - 'payload') IS DISTINCT FROM (to_jsonb(NEW) - 'payload')
    THEN
        RAISE EXCEPTION 'the log is append-only: more than a client''s identifier would be removed from event %', OLD.position
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER events_lose_only_their_client_id
    BEFORE UPDATE ON events
    FOR EACH ROW WHEN (current_setting('backscroll.purging', true) = 'client ids')
    EXECUTE FUNCTION refuse_more_than_a_client_id();

-- Removes the identifiers from events because of what stands at `p_removed_by`: their payloads become those that are given, their digests stay. An
-- event that has lost its identifier already is left as it is, and recorded. Returns how many were changed.
CREATE FUNCTION remove_client_ids(p_removed_by bigint, p_positions bigint[], p_payloads json[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_removed bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM events WHERE position = p_removed_by AND event_type = 'installation.client_ids_removed') THEN
        RAISE EXCEPTION 'nothing at position % says that identifiers of clients are removed', p_removed_by USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF EXISTS (SELECT FROM events WHERE position = ANY (p_positions) AND (event_type <> 'message.posted' OR position >= p_removed_by)) THEN
        RAISE EXCEPTION 'the event at position % speaks of earlier messages only', p_removed_by USING ERRCODE = 'insufficient_privilege';
    END IF;

    PERFORM set_config('backscroll.purging', 'client ids', true);
    UPDATE events SET payload = given.payload
    FROM unnest(p_positions, p_payloads) AS given (position, payload)
    WHERE events.position = given.position AND events.payload::text <> given.payload::text;
    GET DIAGNOSTICS v_removed = ROW_COUNT;
    PERFORM set_config('backscroll.purging', '', true);
    INSERT INTO client_id_removals (position, removed_by)
    SELECT position, p_removed_by FROM events WHERE position = ANY (p_positions)
    ON CONFLICT (position) DO NOTHING;
    RETURN v_removed;
END;
$$;

DROP TRIGGER idempotency_keys_are_for_ever ON idempotency_keys;

CREATE TRIGGER idempotency_keys_are_for_ever
    BEFORE TRUNCATE ON idempotency_keys
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_the_log();

CREATE TRIGGER idempotency_keys_change_by_hashing_alone
    BEFORE UPDATE ON idempotency_keys
    FOR EACH STATEMENT WHEN (current_setting('backscroll.hashing', true) IS DISTINCT FROM 'yes')
    EXECUTE FUNCTION refuse_change_of_the_log();

CREATE FUNCTION refuse_more_than_a_hash() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT starts_with(OLD.key, 'client_msg_id:') OR NEW.key !~ '^client_msg_id:hmac:[0-9a-f]{64}$'
       OR (to_jsonb(OLD) - 'key') IS DISTINCT FROM (to_jsonb(NEW) - 'key')
    THEN
        RAISE EXCEPTION 'an idempotency key is for ever: only an identifier of a client is hashed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER idempotency_keys_are_only_hashed
    BEFORE UPDATE ON idempotency_keys
    FOR EACH ROW EXECUTE FUNCTION refuse_more_than_a_hash();

-- Replaces idempotency keys that are in clear by their hashes, and counts them. Returns how many were replaced.
CREATE FUNCTION hash_idempotency_keys(p_actors uuid[], p_keys text[], p_hashes text[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_hashed bigint;
BEGIN
    PERFORM set_config('backscroll.hashing', 'yes', true);
    UPDATE idempotency_keys SET key = given.hash
    FROM unnest(p_actors, p_keys, p_hashes) AS given (actor_id, key, hash)
    WHERE idempotency_keys.actor_id = given.actor_id AND idempotency_keys.key = given.key;
    GET DIAGNOSTICS v_hashed = ROW_COUNT;
    PERFORM set_config('backscroll.hashing', '', true);
    INSERT INTO client_id_keys (keys) VALUES (v_hashed) ON CONFLICT (only_row) DO UPDATE SET keys = client_id_keys.keys + v_hashed;
    RETURN v_hashed;
END;
$$;
