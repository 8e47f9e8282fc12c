SELECT lower(u.username) AS "name!", u.user_id
FROM users u
JOIN workspace_members m ON m.user_id = u.user_id
WHERE m.workspace_id = $1 AND lower(u.username) = ANY ($2)
