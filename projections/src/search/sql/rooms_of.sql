-- The channels that somebody may be able to read, as far as the read model knows: those that they are in, and the public ones.
SELECT c.channel_id AS "channel_id!", c.name, c.channel_type AS "channel_type!"
FROM channel_members m
JOIN channels c ON c.channel_id = m.channel_id
WHERE m.user_id = $2 AND m.is_active AND m.workspace_id = $1
UNION
SELECT c.channel_id, c.name, c.channel_type
FROM channels c
WHERE c.workspace_id = $1 AND c.channel_type = 'public'
LIMIT $3
