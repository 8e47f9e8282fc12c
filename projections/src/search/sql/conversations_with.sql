-- The direct conversations among these channels, each with one of its members.
SELECT m.user_id, m.channel_id
FROM channel_members m
JOIN channels c ON c.channel_id = m.channel_id
WHERE m.channel_id = ANY ($1) AND m.user_id = ANY ($2) AND m.is_active AND c.channel_type = 'dm'
