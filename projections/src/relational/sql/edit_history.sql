SELECT position, edit_history AS "edit_history: Json<Vec<EarlierText>>"
FROM messages
WHERE message_id = $1 AND created_at BETWEEN $2 AND $3
