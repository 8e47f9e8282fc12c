SELECT m.member_id, m.workspace_id, m.user_id, CASE WHEN u.status <> 'erased' THEN u.username END AS username,
       CASE WHEN u.status <> 'erased' THEN u.display_name END AS display_name, u.avatar_url, u.status = 'erased' AS "is_erased!",
       u.is_bot, m.role, m.title, m.department, m.status AS membership, m.invited_by, m.permissions, m.joined_at, m.updated_at
FROM workspace_members m
JOIN users u ON u.user_id = m.user_id
WHERE m.workspace_id = $1 AND m.user_id = ANY ($2::uuid[])
ORDER BY m.user_id
