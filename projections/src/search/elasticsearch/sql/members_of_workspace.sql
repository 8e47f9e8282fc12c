-- One statement, so that the rows and the position that they are of come from the same moment.
SELECT (SELECT position FROM projection_checkpoints WHERE projection = 'relational') AS version, m.member_id, m.workspace_id, m.user_id,
       COALESCE(u.username, '') AS "username!", COALESCE(u.display_name, '') AS "display_name!", COALESCE(u.email, '') AS "email!",
       COALESCE(m.title, u.title) AS title, m.department, u.bio AS "bio?",
       m.status, m.last_seen_at,
       m.role, COALESCE(u.is_bot, FALSE) AS "is_bot!", GREATEST(m.position, u.position) AS "position!"
FROM workspace_members m
LEFT JOIN users u ON u.user_id = m.user_id
WHERE m.workspace_id = $1 AND m.user_id > $2
ORDER BY m.user_id
LIMIT $3
