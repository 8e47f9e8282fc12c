SELECT c.channel_id AS "channel_id!"
FROM channels c
WHERE c.workspace_id = $1
  AND c.channel_type = 'public'
  AND ($2::text IS NULL OR c.name > $2)
  AND ($4::bool IS NULL OR c.is_archived = $4)
ORDER BY c.name
LIMIT $3
