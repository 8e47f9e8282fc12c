-- Moves the user's markers to the newest message of each of their channels, unless a marker is further already. In order of the
-- channels, so that two devices do not wait for each other in turns.
INSERT INTO public.read_markers AS m (user_id, channel_id, message_id, created_at, moved_back, log_at)
SELECT cm.user_id, cm.channel_id, newest.message_id, newest.created_at, FALSE,
       COALESCE((SELECT recorded_at FROM public.events ORDER BY position DESC LIMIT 1), now())
FROM channel_members cm
JOIN channels c ON c.channel_id = cm.channel_id AND NOT c.is_archived
CROSS JOIN LATERAL (
    SELECT message_id, created_at
    FROM messages
    WHERE channel_id = cm.channel_id AND NOT is_deleted
    ORDER BY created_at DESC, message_id DESC
    LIMIT 1) newest
WHERE cm.user_id = $1 AND cm.workspace_id = $2 AND cm.is_active
ORDER BY cm.channel_id
ON CONFLICT (user_id, channel_id) DO UPDATE
SET message_id = EXCLUDED.message_id, created_at = EXCLUDED.created_at, log_at = EXCLUDED.log_at
WHERE (m.created_at, m.message_id) <= (EXCLUDED.created_at, EXCLUDED.message_id)
