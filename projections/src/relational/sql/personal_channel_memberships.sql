SELECT to_jsonb(m) || jsonb_build_object('channel', c.name) AS "membership!"
FROM channel_members m
JOIN channels c ON c.channel_id = m.channel_id
WHERE m.user_id = $1
ORDER BY m.channel_id
