-- A page of the threads of a channel ($1) that begin before the cut-off ($2), after a position ($6, $7), oldest first, and whether each is
-- due: its newest message is older than the cut-off, none is pinned if pinned messages stay ($3), and no author is held ($4). With threads in
-- the archive, if the policy purges ($5). A message without replies is a thread, and so is a reply whose root is elsewhere. The root comes
-- first. An index gives the first messages of the page, and then the replies of each. The query reads nothing else of the channel.
WITH heads AS MATERIALIZED (
    (SELECT message_id, user_id, is_pinned, created_at
     FROM messages m
     WHERE channel_id = $1 AND created_at < $2 AND created_at >= $6 AND (created_at, message_id) > ($6, $7)
       AND (thread_id IS NULL
            OR ((SELECT TRUE FROM messages r WHERE r.message_id = m.thread_id AND r.channel_id = $1 LIMIT 1) IS NULL
                AND (NOT $5 OR (SELECT TRUE FROM messages_archive r
                                WHERE r.message_id = m.thread_id AND r.channel_id = $1 AND r.purged_at IS NULL LIMIT 1) IS NULL)))
     ORDER BY created_at, message_id
     LIMIT $8)
    UNION ALL
    (SELECT message_id, user_id, is_pinned, created_at
     FROM messages_archive m
     WHERE $5 AND channel_id = $1 AND created_at < $2 AND created_at >= $6 AND (created_at, message_id) > ($6, $7) AND purged_at IS NULL
       AND (thread_id IS NULL
            OR ((SELECT TRUE FROM messages r WHERE r.message_id = m.thread_id AND r.channel_id = $1 LIMIT 1) IS NULL
                AND (SELECT TRUE FROM messages_archive r
                     WHERE r.message_id = m.thread_id AND r.channel_id = $1 AND r.purged_at IS NULL LIMIT 1) IS NULL))
     ORDER BY created_at, message_id
     LIMIT $8)
    ORDER BY created_at, message_id
    LIMIT $8)
SELECT (SELECT position FROM projection_checkpoints WHERE projection = 'relational') AS read_at, h.message_id AS "root!",
       h.created_at AS "begun_at!", h.message_id || COALESCE(a.ids, '{}') AS "messages!",
       COALESCE(a.youngest < $2, TRUE) AND NOT ($3 AND (h.is_pinned OR COALESCE(a.is_pinned, FALSE)))
           AND NOT (h.user_id = ANY ($4) OR COALESCE(a.is_held, FALSE)) AS "is_due!"
FROM heads h
CROSS JOIN LATERAL (
    SELECT array_agg(message_id ORDER BY created_at, message_id) AS ids, max(created_at) AS youngest, bool_or(is_pinned) AS is_pinned,
           bool_or(user_id = ANY ($4)) AS is_held
    FROM (SELECT message_id, user_id, is_pinned, created_at FROM messages WHERE channel_id = $1 AND thread_id = h.message_id
          UNION ALL
          SELECT message_id, user_id, is_pinned, created_at
          FROM messages_archive
          WHERE $5 AND channel_id = $1 AND thread_id = h.message_id AND purged_at IS NULL) AS answers
    ) AS a
ORDER BY h.created_at, h.message_id
