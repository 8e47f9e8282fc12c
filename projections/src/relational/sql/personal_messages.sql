-- Messages that a policy moved to the archive belong to the user too.
SELECT message_id AS "message_id!", created_at AS "created_at!", message AS "message!"
FROM (
    (SELECT message_id, created_at, to_jsonb(m) - 'search_vector' - 'long_words' AS message
     FROM messages m
     WHERE user_id = $1 AND workspace_id = $2 AND (created_at, message_id) > ($3, $4)
     ORDER BY created_at, message_id
     LIMIT $5)
    UNION ALL
    (SELECT message_id, created_at, to_jsonb(m) || '{"is_archived": true}' AS message
     FROM messages_archive m
     WHERE user_id = $1 AND workspace_id = $2 AND (created_at, message_id) > ($3, $4)
     ORDER BY created_at, message_id
     LIMIT $5)
) AS written
ORDER BY created_at, message_id
LIMIT $5
