-- A deleted message has no text left. What is there of others (reactions, answers, pins) stays.
UPDATE messages
SET content = '', formatted_content = '{"erased": true}', edit_history = '[]'
WHERE user_id = ANY ($1)
  AND NOT is_deleted
  AND (content <> '' OR formatted_content IS DISTINCT FROM '{"erased": true}' OR edit_history <> '[]')
