-- Moves the marker forward, or backward if the caller asks for it. Returns the marker after that.
WITH moved AS (
    INSERT INTO public.read_markers AS m (user_id, channel_id, message_id, created_at, moved_back, log_at)
    VALUES ($1, $2, $3, $4, $5, COALESCE((SELECT recorded_at FROM public.events ORDER BY position DESC LIMIT 1), now()))
    ON CONFLICT (user_id, channel_id) DO UPDATE
    SET message_id = EXCLUDED.message_id, created_at = EXCLUDED.created_at, log_at = EXCLUDED.log_at,
        moved_back = m.moved_back OR EXCLUDED.moved_back
    WHERE EXCLUDED.moved_back OR (m.created_at, m.message_id) <= (EXCLUDED.created_at, EXCLUDED.message_id)
    RETURNING message_id, created_at)
SELECT message_id AS "message_id!", created_at AS "created_at!" FROM moved
UNION ALL
SELECT message_id, created_at
FROM public.read_markers
WHERE user_id = $1 AND channel_id = $2 AND NOT EXISTS (SELECT FROM moved)
