SELECT u.user_id, u.username, u.display_name, u.email, u.avatar_url, COALESCE(m.title, u.title) AS title, m.department, u.bio,
       u.pronouns, u.phone, u.timezone, u.is_bot, m.role, FALSE AS "is_erased!",
       CASE WHEN COALESCE(u.status_text, u.status_emoji) IS NOT NULL AND (u.status_expires_at IS NULL OR u.status_expires_at > now())
            THEN jsonb_build_object('text', u.status_text, 'emoji', u.status_emoji, 'expires_at', u.status_expires_at)
       END AS "custom_status: _"
FROM unnest($2::uuid[]) WITH ORDINALITY AS wanted (user_id, place)
JOIN workspace_members m ON m.user_id = wanted.user_id AND m.workspace_id = $1 AND m.status = 'active'
JOIN users u ON u.user_id = wanted.user_id AND u.status <> 'erased'
ORDER BY wanted.place
