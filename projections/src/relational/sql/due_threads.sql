-- Threads of a channel ($1) whose youngest message is older than the cut-off ($2), without pinned messages where those stay ($3), and nothing
-- of people who are held ($4); from the archive too, where they are to be purged ($5). Behind a place ($6, $7). A message without answers
-- is a thread; an answer whose root is elsewhere too. The root comes first.
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
SELECT (SELECT position FROM projection_checkpoints WHERE projection = 'relational') AS read_at, root AS "root!", begun_at AS "begun_at!",
       ids AS "messages!"
FROM threads
WHERE NOT is_held AND (begun_at, root) > ($6, $7)
ORDER BY begun_at, root
LIMIT $8
