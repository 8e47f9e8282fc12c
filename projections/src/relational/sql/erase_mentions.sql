DELETE FROM mentions
WHERE message_id IN (SELECT message_id FROM messages WHERE user_id = ANY ($1) AND formatted_content ? 'mentions')
