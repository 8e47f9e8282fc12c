-- The one lawful change of the log: the personal parts of events are taken out, because a later event says so (docs/RETENTION.md).

-- Which events were emptied, and at which position it stands why.
CREATE TABLE event_purges (
    position  bigint NOT NULL CONSTRAINT event_purges_pkey PRIMARY KEY,
    purged_by bigint NOT NULL,
    reason    text   NOT NULL,
    CONSTRAINT event_purges_later CHECK (purged_by > position)
);

CREATE TRIGGER event_purges_are_for_ever
    BEFORE UPDATE OR DELETE OR TRUNCATE ON event_purges
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_the_log();

DROP TRIGGER events_are_for_ever ON events;

CREATE TRIGGER events_are_for_ever
    BEFORE DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_the_log();

CREATE TRIGGER events_change_by_purge_alone
    BEFORE UPDATE ON events
    FOR EACH STATEMENT WHEN (current_setting('backscroll.purging', true) IS DISTINCT FROM 'yes')
    EXECUTE FUNCTION refuse_change_of_the_log();

-- A purge changes nothing but the payload, and there it takes out what is personal: nothing comes in, and what stays is as it was. What is sealed
-- is one field, so of a sealed payload exactly that goes.
CREATE FUNCTION refuse_more_than_a_purge() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_old  jsonb := OLD.payload::jsonb -> OLD.event_type;
    v_kept jsonb := (NEW.payload::jsonb -> NEW.event_type) - 'erased';
    v_is_emptied boolean;
BEGIN
    IF v_old ? 'sealed' OR v_old -> 'erased' = 'true'::jsonb THEN
        v_is_emptied := v_old - 'sealed' - 'erased' = v_kept;
    ELSE
        v_is_emptied := NOT EXISTS (SELECT FROM jsonb_each(v_kept) AS kept WHERE v_old -> kept.key IS DISTINCT FROM kept.value);
    END IF;
    IF v_is_emptied IS NOT TRUE
       OR NOT starts_with(NEW.payload::text, '{"' || NEW.event_type || '":{"erased":true')
       OR (to_jsonb(OLD) - 'payload') IS DISTINCT FROM (to_jsonb(NEW) - 'payload')
    THEN
        RAISE EXCEPTION 'the log is append-only: event % would be more than emptied', OLD.position USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER events_are_only_emptied
    BEFORE UPDATE ON events
    FOR EACH ROW EXECUTE FUNCTION refuse_more_than_a_purge();

-- Empties events because of what stands at `p_purged_by`: their payloads become those that are given, their digests stay. Only events of messages
-- that it speaks of; those that are emptied already are left as they are. Snapshots of their streams hold the same texts, and go. Returns how many
-- were emptied.
CREATE FUNCTION purge_events(p_purged_by bigint, p_reason text, p_positions bigint[], p_payloads json[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_messages text[];
    v_purged   bigint;
BEGIN
    SELECT CASE event_type
               WHEN 'message.purged' THEN ARRAY [aggregate_id]
               ELSE ARRAY (SELECT json_array_elements_text(payload -> 'retention.applied' -> 'messages'))
           END
    INTO v_messages
    FROM events
    WHERE position = p_purged_by
      AND (event_type = 'message.purged' OR (event_type = 'retention.applied' AND payload -> 'retention.applied' ->> 'action' = 'purge'));
    IF v_messages IS NULL THEN
        RAISE EXCEPTION 'nothing at position % says that events are purged', p_purged_by USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF EXISTS (SELECT FROM events WHERE position = ANY (p_positions)
               AND (aggregate_type <> 'message' OR aggregate_id <> ALL (v_messages) OR position >= p_purged_by)) THEN
        RAISE EXCEPTION 'the event at position % speaks of other messages', p_purged_by USING ERRCODE = 'insufficient_privilege';
    END IF;

    PERFORM set_config('backscroll.purging', 'yes', true);
    UPDATE events SET payload = given.payload
    FROM unnest(p_positions, p_payloads) AS given (position, payload)
    WHERE events.position = given.position AND NOT EXISTS (SELECT FROM event_purges p WHERE p.position = given.position);
    GET DIAGNOSTICS v_purged = ROW_COUNT;
    PERFORM set_config('backscroll.purging', '', true);
    INSERT INTO event_purges (position, purged_by, reason)
    SELECT position, p_purged_by, p_reason FROM events WHERE position = ANY (p_positions)
    ON CONFLICT (position) DO NOTHING;
    DELETE FROM snapshots WHERE aggregate_type = 'message' AND aggregate_id = ANY (v_messages);
    RETURN v_purged;
END;
$$;

-- What was emptied is on the disk until its row's earlier version is cleared away; nothing else leaves such versions here. So: soon.
ALTER TABLE events SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 0);
