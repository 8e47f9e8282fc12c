DELETE FROM message_edits
WHERE user_id = ANY ($1)
