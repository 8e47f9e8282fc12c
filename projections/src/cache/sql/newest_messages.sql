-- The newest messages of some channels that count as unread, newest first, $2 of each at most.
SELECT m.channel_id, m.message_id, m.user_id, m.created_at
FROM unnest($1::uuid[], $2::bigint[]) AS wanted (channel_id, rows_max)
CROSS JOIN LATERAL (
    SELECT channel_id, message_id, user_id, created_at
    FROM messages
    WHERE channel_id = wanted.channel_id AND thread_id IS NULL AND NOT is_deleted AND message_type <> 'system'
    ORDER BY created_at DESC, message_id DESC
    LIMIT wanted.rows_max) m
