SELECT u.user_id AS "user_id!", CASE WHEN u.status <> 'erased' THEN u.username END AS "username?",
       CASE WHEN u.status <> 'erased' THEN u.display_name END AS "display_name?", u.avatar_url, u.is_bot AS "is_bot!", u.status = 'erased' AS "is_erased!", m.role AS "role?",
       u.status_text, u.status_emoji, u.status_expires_at
FROM users u
LEFT JOIN workspace_members m ON m.workspace_id = $1 AND m.user_id = u.user_id AND m.status = 'active'
WHERE u.user_id = ANY ($2::uuid[])
ORDER BY u.user_id
