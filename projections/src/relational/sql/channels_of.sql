SELECT c.channel_id AS "channel_id!"
FROM channel_members m
JOIN channels c ON c.channel_id = m.channel_id
WHERE m.user_id = $1 AND m.is_active AND m.workspace_id = $2 AND m.channel_id > $3 AND ($5::bool IS NULL OR c.is_archived = $5)
ORDER BY m.channel_id
LIMIT $4
