SELECT edit_history AS "history: Json<Vec<EarlierText>>"
FROM messages
WHERE message_id = $1 AND created_at = $2
