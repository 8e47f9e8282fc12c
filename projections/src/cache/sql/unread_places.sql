-- The positions at which a user's counts begin: the read marker, the time of joining, or the time at which an import added the user, because
-- what was said until then is history. A marker from before the user came back is void. A marker before the other two counts only if the user
-- moved it there.
SELECT cm.channel_id, cm.notification_level,
       CASE WHEN r.log_at >= cm.joined_at THEN r.message_id END AS "marker?",
       CASE WHEN r.log_at >= cm.joined_at AND (r.moved_back OR r.created_at > GREATEST(cm.joined_at, cm.history_until))
            THEN r.created_at ELSE GREATEST(cm.joined_at, cm.history_until) END AS "since_at!",
       CASE WHEN r.log_at >= cm.joined_at AND (r.moved_back OR r.created_at > GREATEST(cm.joined_at, cm.history_until))
            THEN r.message_id ELSE 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid END AS "since_id!"
FROM channel_members cm
JOIN channels c ON c.channel_id = cm.channel_id AND NOT c.is_archived
LEFT JOIN public.read_markers r ON r.user_id = cm.user_id AND r.channel_id = cm.channel_id
WHERE cm.user_id = $1 AND cm.workspace_id = $2 AND cm.is_active AND ($3::uuid[] IS NULL OR cm.channel_id = ANY ($3))
