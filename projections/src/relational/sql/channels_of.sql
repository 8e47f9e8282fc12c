SELECT c.channel_id, c.workspace_id, c.name, c.display_name, c.description, c.channel_type, c.is_archived, c.is_general, c.topic, c.purpose,
       c.retention_policy, c.allow_threads, c.allow_file_upload, c.allow_external_sharing, c.created_by, c.created_at, c.updated_at,
       c.archived_at, c.archived_by, c.position
FROM channel_members m
JOIN channels c ON c.channel_id = m.channel_id
WHERE m.user_id = $1 AND m.is_active AND m.workspace_id = $2 AND m.channel_id > $3
ORDER BY m.channel_id
LIMIT $4
