-- Like members.sql, but only the guest and the people in the guest's channels. It starts from these people, not from all members.
SELECT m.member_id, m.workspace_id, m.user_id, CASE WHEN u.status <> 'erased' THEN u.username END AS username,
       CASE WHEN u.status <> 'erased' THEN u.display_name END AS display_name, u.avatar_url, u.status = 'erased' AS "is_erased!",
       u.is_bot, m.role, m.title, m.department, m.status AS membership, m.invited_by, m.permissions, m.joined_at, m.updated_at
FROM (SELECT c.user_id FROM channel_members c WHERE c.channel_id = ANY ($4::uuid[]) AND c.is_active AND c.user_id > $2
      UNION
      SELECT $5::uuid) AS seen (user_id)
JOIN workspace_members m ON m.user_id = seen.user_id AND m.workspace_id = $1
JOIN users u ON u.user_id = m.user_id
WHERE m.user_id > $2 AND u.status <> 'erased'
ORDER BY m.user_id
LIMIT $3
