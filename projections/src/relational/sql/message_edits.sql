SELECT position, content, edited_at, edited_by
FROM message_edits
WHERE message_id = $1 AND position > $2
ORDER BY position
LIMIT $3
