SELECT u.user_id, u.username, u.display_name, u.email, u.avatar_url, COALESCE(m.title, u.title) AS title, m.department, u.bio,
       u.pronouns, u.phone, u.timezone, u.is_bot, m.role, FALSE AS "is_erased!",
       CASE WHEN COALESCE(u.status_text, u.status_emoji) IS NOT NULL AND (u.status_expires_at IS NULL OR u.status_expires_at > now())
            THEN jsonb_build_object('text', u.status_text, 'emoji', u.status_emoji, 'expires_at', u.status_expires_at)
       END AS "custom_status: _"
FROM workspace_members m
JOIN users u ON u.user_id = m.user_id
WHERE m.workspace_id = $1
  AND m.status = 'active' AND u.status <> 'erased'
  AND ($2::text IS NULL
       OR u.display_name ILIKE $2 OR u.username ILIKE $2 OR u.email ILIKE $2
       OR COALESCE(m.title, u.title) ILIKE $2 OR m.department ILIKE $2)
  AND ($3::text IS NULL OR (lower(u.display_name), u.user_id) > (lower($3), $4::uuid))
ORDER BY lower(u.display_name), u.user_id
LIMIT $5
