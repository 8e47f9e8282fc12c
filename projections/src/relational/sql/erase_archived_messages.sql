-- Does the same as erase_messages.sql, for messages in the archive.
UPDATE messages_archive
SET content = '', formatted_content = '{"erased": true}', edit_history = '[]'
WHERE user_id = ANY ($1)
  AND NOT is_deleted
  AND (content <> '' OR formatted_content IS DISTINCT FROM '{"erased": true}' OR edit_history <> '[]')
