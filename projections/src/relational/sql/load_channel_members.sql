SELECT membership_id, channel_id, workspace_id, user_id, role, notification_level, joined_at, history_until, left_at, invited_by, is_active,
       position
FROM channel_members
WHERE membership_id = ANY ($1)
