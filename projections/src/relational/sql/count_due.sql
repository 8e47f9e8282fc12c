-- What of a channel ($1) is older than the cut-off ($2), without pinned messages where those stay ($3): how much leaves, and how much is held
-- because of people ($4); from the archive too, where it is to be purged ($5).
WITH here AS MATERIALIZED (
    SELECT message_id, thread_id, user_id, is_pinned, created_at FROM messages WHERE channel_id = $1
    UNION ALL
    SELECT message_id, thread_id, user_id, is_pinned, created_at
    FROM messages_archive
    WHERE $5 AND channel_id = $1 AND purged_at IS NULL),
threads AS (
    SELECT COALESCE(root.message_id, m.message_id) AS root, min(m.created_at) AS begun_at, count(*) AS messages,
           array_agg(m.message_id ORDER BY root.message_id IS NOT NULL, m.created_at, m.message_id) AS ids,
           bool_or(m.user_id = ANY ($4)) AS is_held
    FROM here m
    LEFT JOIN here root ON root.message_id = m.thread_id
    GROUP BY 1
    HAVING max(m.created_at) < $2 AND NOT ($3 AND bool_or(m.is_pinned)))
SELECT COALESCE(sum(messages) FILTER (WHERE NOT is_held), 0)::bigint AS "messages!",
       COALESCE(sum(messages) FILTER (WHERE is_held), 0)::bigint AS "held!",
       min(begun_at) FILTER (WHERE NOT is_held) AS oldest
FROM threads
