SELECT message_id, created_at, to_jsonb(m) - 'search_vector' AS "message!"
FROM messages m
WHERE user_id = $1 AND workspace_id = $2 AND (created_at, message_id) > ($3, $4)
ORDER BY created_at, message_id
LIMIT $5
