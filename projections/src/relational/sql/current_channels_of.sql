SELECT m.channel_id
FROM channel_members m
WHERE m.user_id = $1 AND m.workspace_id = $2 AND m.is_active
ORDER BY m.channel_id
