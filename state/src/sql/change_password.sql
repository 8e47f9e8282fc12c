WITH asking AS (
    SELECT s.session_id, s.generation
    FROM secret.sessions s LEFT JOIN secret.session_generations g ON g.user_id = s.user_id
    WHERE s.session_id = $2 AND s.user_id = $1 AND s.ended_at IS NULL AND s.generation = coalesce(g.generation, 0)
), changed AS (
    UPDATE secret.credentials SET password_hash = $4, updated_at = now()
    WHERE user_id = $1 AND password_hash = $3 AND EXISTS (SELECT FROM asking)
    RETURNING user_id
), raised AS (
    INSERT INTO secret.session_generations AS g (user_id, generation, revision, reason)
    SELECT user_id, 1, 1, 'password_changed' FROM changed
    ON CONFLICT (user_id) DO UPDATE SET generation = g.generation + 1, revision = g.revision + 1, reason = 'password_changed'
    RETURNING generation
), kept AS (
    -- Not if all sessions ended once more in the meantime.
    UPDATE secret.sessions s SET generation = raised.generation
    FROM raised
    WHERE s.session_id = $2 AND s.user_id = $1 AND s.ended_at IS NULL AND s.generation = raised.generation - 1
)
SELECT generation FROM raised
