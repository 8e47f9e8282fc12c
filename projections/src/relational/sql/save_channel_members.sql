INSERT INTO channel_members
SELECT * FROM jsonb_populate_recordset(NULL::channel_members, $1)
ON CONFLICT (membership_id) DO UPDATE
SET (channel_id, workspace_id, user_id, role, notification_level, joined_at, left_at, invited_by, is_active, position)
  = (EXCLUDED.channel_id, EXCLUDED.workspace_id, EXCLUDED.user_id, EXCLUDED.role, EXCLUDED.notification_level,
     EXCLUDED.joined_at, EXCLUDED.left_at, EXCLUDED.invited_by, EXCLUDED.is_active, EXCLUDED.position)
WHERE channel_members.position < EXCLUDED.position
