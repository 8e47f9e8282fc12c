-- Counts the messages of a channel ($1) that are older than the cut-off ($2), without pinned messages if those stay ($3): how many the policy
-- removes, and how many stay because their authors are held ($4). With messages in the archive, if the policy purges ($5). The query reads only
-- older messages. An index says whether a thread goes on after the cut-off.
WITH old AS MATERIALIZED (
    SELECT message_id, thread_id, user_id, is_pinned, created_at FROM messages WHERE channel_id = $1 AND created_at < $2
    UNION ALL
    SELECT message_id, thread_id, user_id, is_pinned, created_at
    FROM messages_archive
    WHERE $5 AND channel_id = $1 AND created_at < $2 AND purged_at IS NULL),
threads AS (
    SELECT COALESCE(root.message_id, m.message_id) AS root, min(m.created_at) AS begun_at, count(*) AS messages,
           (array_agg(m.thread_id) FILTER (WHERE root.message_id IS NULL))[1] AS root_elsewhere,
           bool_or(m.user_id = ANY ($4)) AS is_held
    FROM old m
    LEFT JOIN old root ON root.message_id = m.thread_id
    GROUP BY 1
    HAVING NOT ($3 AND bool_or(m.is_pinned))),
due AS (
    SELECT *
    FROM threads t
    WHERE (SELECT TRUE FROM messages a WHERE a.channel_id = $1 AND a.thread_id = t.root AND a.created_at >= $2 LIMIT 1) IS NULL
      AND (NOT $5 OR (SELECT TRUE FROM messages_archive a
                      WHERE a.channel_id = $1 AND a.thread_id = t.root AND a.created_at >= $2 AND a.purged_at IS NULL LIMIT 1) IS NULL)
      AND (t.root_elsewhere IS NULL
           OR ((SELECT TRUE FROM messages r
                WHERE r.message_id = t.root_elsewhere AND r.created_at >= $2 AND r.channel_id = $1 LIMIT 1) IS NULL
               AND (NOT $5 OR (SELECT TRUE FROM messages_archive r
                               WHERE r.message_id = t.root_elsewhere AND r.created_at >= $2 AND r.channel_id = $1 AND r.purged_at IS NULL
                               LIMIT 1) IS NULL))))
SELECT COALESCE(sum(messages) FILTER (WHERE NOT is_held), 0)::bigint AS "messages!",
       COALESCE(sum(messages) FILTER (WHERE is_held), 0)::bigint AS "held!",
       min(begun_at) FILTER (WHERE NOT is_held) AS oldest
FROM due
