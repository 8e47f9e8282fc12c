-- The user's unread messages in some channels: $1 user, $2 workspace, $3 channels, $4 and $5 the position in each at which counting begins,
-- $6 the most to count. If more messages follow a position, only the newest $6 are examined. LATERAL, so that Postgres reads the messages of
-- each channel separately.
SELECT p.channel_id AS "channel_id!", counted.messages AS "messages!", mentions.direct + mentions.everyone AS "mentions!",
       later.created_at IS NOT NULL AS "more!"
FROM unnest($3::uuid[], $4::timestamptz[], $5::uuid[]) AS p (channel_id, since_at, since_id)
LEFT JOIN LATERAL (
    SELECT m.created_at, m.message_id
    FROM messages m
    WHERE m.channel_id = p.channel_id AND m.thread_id IS NULL AND NOT m.is_deleted AND m.message_type <> 'system'
      AND m.created_at >= p.since_at AND (m.created_at, m.message_id) > (p.since_at, p.since_id)
    ORDER BY m.created_at DESC, m.message_id DESC
    OFFSET $6 LIMIT 1) later ON TRUE
CROSS JOIN LATERAL (
    SELECT COALESCE(later.created_at, p.since_at) AS at, COALESCE(later.message_id, p.since_id) AS id) since
CROSS JOIN LATERAL (
    SELECT count(*) AS messages
    FROM messages m
    WHERE m.channel_id = p.channel_id AND m.thread_id IS NULL AND NOT m.is_deleted AND m.message_type <> 'system' AND m.user_id <> $1
      AND m.created_at >= since.at AND (m.created_at, m.message_id) > (since.at, since.id)) counted
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE m.formatted_content -> 'broadcasts' ?| ARRAY ['channel', 'everyone']) AS everyone,
           count(*) FILTER (WHERE NOT COALESCE(m.formatted_content -> 'broadcasts' ?| ARRAY ['channel', 'everyone'], FALSE)
                              AND m.formatted_content -> 'mentions' ? $1::uuid::text) AS direct
    FROM messages m
    WHERE m.channel_id = p.channel_id AND NOT m.is_deleted AND m.message_type <> 'system' AND m.user_id <> $1
      AND m.workspace_id = $2 AND m.formatted_content IS NOT NULL
      AND m.created_at >= since.at AND (m.created_at, m.message_id) > (since.at, since.id)) mentions
