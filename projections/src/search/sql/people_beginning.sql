-- The names of active members, in the order of their identifiers.
SELECT u.user_id, u.username, u.display_name
FROM workspace_members m
JOIN users u ON u.user_id = m.user_id
WHERE m.workspace_id = $1 AND m.status = 'active' AND u.status <> 'erased' AND u.user_id > $2
  AND ($4::uuid[] IS NULL
       OR u.user_id IN (SELECT c.user_id FROM channel_members c WHERE c.channel_id = ANY ($4) AND c.is_active))
ORDER BY u.user_id
LIMIT $3
