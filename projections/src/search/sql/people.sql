SELECT u.user_id, u.username, u.display_name, u.email, u.avatar_url, COALESCE(m.title, u.title) AS title, m.department, u.bio,
       u.pronouns, u.phone, u.timezone, u.status_text, u.status_emoji, u.status_expires_at, u.is_bot, m.role
FROM unnest($2::uuid[]) WITH ORDINALITY AS wanted (user_id, place)
JOIN workspace_members m ON m.user_id = wanted.user_id AND m.workspace_id = $1 AND m.status = 'active'
JOIN users u ON u.user_id = wanted.user_id
ORDER BY wanted.place
