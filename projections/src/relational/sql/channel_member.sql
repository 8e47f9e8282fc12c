SELECT m.membership_id, m.channel_id, m.user_id, CASE WHEN u.status <> 'erased' THEN u.username END AS "username?",
       CASE WHEN u.status <> 'erased' THEN u.display_name END AS "display_name?", u.avatar_url, u.status = 'erased' AS "is_erased!",
       u.is_bot, m.role, m.notification_level, m.joined_at, m.invited_by
FROM channel_members m
JOIN users u ON u.user_id = m.user_id
WHERE m.channel_id = $1 AND m.is_active AND m.user_id = $2
