INSERT INTO channels
SELECT * FROM jsonb_populate_recordset(NULL::channels, $1)
ON CONFLICT (channel_id) DO UPDATE
SET (workspace_id, name, display_name, description, channel_type, is_archived, is_general, topic, purpose, retention_policy,
     allow_threads, allow_file_upload, allow_external_sharing, created_by, created_at, updated_at, archived_at, archived_by,
     position)
  = (EXCLUDED.workspace_id, EXCLUDED.name, EXCLUDED.display_name, EXCLUDED.description, EXCLUDED.channel_type,
     EXCLUDED.is_archived, EXCLUDED.is_general, EXCLUDED.topic, EXCLUDED.purpose, EXCLUDED.retention_policy,
     EXCLUDED.allow_threads, EXCLUDED.allow_file_upload, EXCLUDED.allow_external_sharing, EXCLUDED.created_by,
     EXCLUDED.created_at, EXCLUDED.updated_at, EXCLUDED.archived_at, EXCLUDED.archived_by, EXCLUDED.position)
WHERE channels.position < EXCLUDED.position
