SELECT c.channel_id, c.workspace_id, c.name, c.display_name, c.description, c.channel_type, c.is_archived, c.is_general, c.topic, c.purpose,
       c.retention_policy, c.allow_threads, c.allow_file_upload, c.allow_external_sharing, c.created_by, c.created_at, c.updated_at,
       c.archived_at, c.archived_by, c.position
FROM channels c
WHERE c.workspace_id = $1
  AND c.channel_type = 'public'
  AND ($2::text IS NULL OR c.name > $2)
ORDER BY c.name
LIMIT $3
