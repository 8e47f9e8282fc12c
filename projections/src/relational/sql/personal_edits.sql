SELECT message_id, position, to_jsonb(e) - 'position' - 'workspace_id' - 'user_id' AS "earlier!"
FROM message_edits e
WHERE user_id = $1 AND workspace_id = $2 AND (message_id, position) > ($3, $4)
ORDER BY message_id, position
LIMIT $5
