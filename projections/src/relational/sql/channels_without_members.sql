-- The named channels in which nobody is an active member of the workspace.
SELECT c.channel_id, c.workspace_id, c.name, c.display_name, c.description, c.channel_type, c.is_archived, c.is_general, c.topic, c.purpose,
       c.retention_policy, c.allow_threads, c.allow_file_upload, c.allow_external_sharing, c.created_by, c.created_at, c.updated_at,
       c.archived_at, c.archived_by, c.position
FROM channels c
WHERE c.workspace_id = $1 AND c.channel_type IN ('public', 'private') AND c.channel_id > $2
  AND NOT EXISTS (SELECT
                  FROM channel_members m
                  JOIN workspace_members w ON w.workspace_id = c.workspace_id AND w.user_id = m.user_id AND w.status = 'active'
                  WHERE m.channel_id = c.channel_id AND m.is_active)
ORDER BY c.channel_id
LIMIT $3
