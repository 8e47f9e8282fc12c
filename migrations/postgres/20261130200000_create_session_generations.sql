-- Generations of sessions: all sessions of a person end in one step, and a copy in Redis is valid only until a session
-- of the person ends. Postgres is the authority. Redis is not asked which generation is the current one.

CREATE TABLE secret.session_generations (
    user_id    uuid   PRIMARY KEY,
    -- Raised when all sessions of the person end. A session of an earlier generation has ended.
    generation bigint NOT NULL DEFAULT 0,
    -- Raised when any session of the person ends. A copy of a session that was made at another revision is not
    -- valid.
    revision   bigint NOT NULL DEFAULT 0,
    -- The generation of which all sessions before it are noted in the log, and their rows removed.
    noted      bigint NOT NULL DEFAULT 0,
    -- Why all of them ended the last time, as the log will note it.
    reason     text   NOT NULL DEFAULT 'signed_out' CHECK (reason IN ('signed_out', 'password_changed'))
);

CREATE INDEX session_generations_to_be_noted ON secret.session_generations (user_id) WHERE noted < generation;

ALTER TABLE secret.sessions ADD COLUMN generation bigint NOT NULL DEFAULT 0;
DROP INDEX secret.sessions_user;
CREATE INDEX sessions_user ON secret.sessions (user_id, created_at);

-- A suspension, a reactivation and an erasure end all sessions of the account in the transaction of the event.
CREATE FUNCTION secret.end_sessions_with_the_account() RETURNS trigger LANGUAGE plpgsql SET search_path = secret, pg_temp AS $$
BEGIN
    INSERT INTO session_generations AS g (user_id, generation, revision) VALUES (NEW.aggregate_id::uuid, 1, 1)
    ON CONFLICT (user_id) DO UPDATE SET generation = g.generation + 1, revision = g.revision + 1, reason = 'signed_out';
    RETURN NULL;
END;
$$;

CREATE TRIGGER sessions_end_with_the_account
    AFTER INSERT ON events
    FOR EACH ROW
    WHEN (NEW.aggregate_type = 'user' AND NEW.event_type IN ('user.suspended', 'user.reactivated', 'user.erased'))
    EXECUTE FUNCTION secret.end_sessions_with_the_account();

-- If a row is removed or marked as ended, by any statement, every copy of that person's sessions is void. Users are
-- locked in order, so that two statements never wait for each other.
CREATE FUNCTION secret.void_copies_of_removed_sessions() RETURNS trigger LANGUAGE plpgsql SET search_path = secret, pg_temp AS $$
BEGIN
    INSERT INTO session_generations AS g (user_id, revision) SELECT DISTINCT user_id, 1 FROM removed ORDER BY user_id
    ON CONFLICT (user_id) DO UPDATE SET revision = g.revision + 1;
    RETURN NULL;
END;
$$;

CREATE FUNCTION secret.void_copies_of_ended_sessions() RETURNS trigger LANGUAGE plpgsql SET search_path = secret, pg_temp AS $$
BEGIN
    INSERT INTO session_generations AS g (user_id, revision)
    SELECT DISTINCT before.user_id, 1 FROM before JOIN after USING (token_hash)
    WHERE before.ended_at IS NULL AND after.ended_at IS NOT NULL OR before.generation <> after.generation OR after.expires_at < before.expires_at
    ORDER BY before.user_id
    ON CONFLICT (user_id) DO UPDATE SET revision = g.revision + 1;
    RETURN NULL;
END;
$$;

CREATE TRIGGER copies_of_removed_sessions_are_void
    AFTER DELETE ON secret.sessions REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION secret.void_copies_of_removed_sessions();

CREATE TRIGGER copies_of_ended_sessions_are_void
    AFTER UPDATE ON secret.sessions REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION secret.void_copies_of_ended_sessions();
