-- The named channels in which nobody is an active member of the workspace.
SELECT c.channel_id AS "channel_id!"
FROM channels c
WHERE c.workspace_id = $1 AND c.channel_type IN ('public', 'private') AND c.channel_id > $2
  AND ($4::bool IS NULL OR c.is_archived = $4)
  AND NOT EXISTS (SELECT
                  FROM channel_members m
                  JOIN workspace_members w ON w.workspace_id = c.workspace_id AND w.user_id = m.user_id AND w.status = 'active'
                  WHERE m.channel_id = c.channel_id AND m.is_active)
ORDER BY c.channel_id
LIMIT $3
