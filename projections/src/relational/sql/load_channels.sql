SELECT c.channel_id, c.workspace_id, c.name, c.display_name, c.description, c.channel_type, c.is_archived, c.is_general, c.topic, c.purpose,
       c.retention_policy, c.allow_threads, c.allow_file_upload, c.allow_external_sharing, c.created_by, c.created_at, c.updated_at,
       c.archived_at, c.archived_by, c.position
FROM channels c
WHERE c.channel_id = ANY ($1)
