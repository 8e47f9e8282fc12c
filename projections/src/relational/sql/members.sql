SELECT m.member_id, m.workspace_id, m.user_id, u.username, u.display_name, u.avatar_url, u.is_bot, m.role, m.title, m.department,
       m.status, m.invited_by, m.permissions, m.joined_at, m.updated_at
FROM workspace_members m
JOIN users u ON u.user_id = m.user_id
WHERE m.workspace_id = $1 AND m.user_id > $2
ORDER BY m.user_id
LIMIT $3
