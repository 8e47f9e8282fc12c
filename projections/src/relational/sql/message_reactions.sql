SELECT user_id, reacted_at, position
FROM message_reactions
WHERE message_id = $1 AND emoji = $2 AND position > $3
ORDER BY position
LIMIT $4
