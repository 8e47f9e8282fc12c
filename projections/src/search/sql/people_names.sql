SELECT u.user_id, u.username, u.display_name
FROM workspace_members m
JOIN users u ON u.user_id = m.user_id
WHERE m.workspace_id = $1 AND m.status = 'active' AND u.status <> 'erased'
  AND ($3::uuid[] IS NULL OR u.user_id IN (SELECT c.user_id FROM channel_members c WHERE c.channel_id = ANY ($3) AND c.is_active))
ORDER BY m.joined_at DESC, u.user_id
LIMIT $2
