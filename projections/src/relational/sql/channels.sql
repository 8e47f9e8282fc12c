-- Channels in the order of $1, as the user $2 sees them. LATERAL: each is looked up by key, and the people only of conversations, $3 of
-- each at most. The latest message is found in the index of its channel, from the newest month on.
SELECT c.channel_id AS "channel_id!", c.workspace_id AS "workspace_id!", c.name, c.display_name, c.description,
       c.channel_type AS "channel_type!", c.is_archived AS "is_archived!", c.is_general AS "is_general!", c.topic, c.purpose,
       c.retention_policy, c.allow_threads AS "allow_threads!", c.allow_file_upload AS "allow_file_upload!",
       c.allow_external_sharing AS "allow_external_sharing!", c.created_by AS "created_by!", c.created_at AS "created_at!",
       c.updated_at AS "updated_at!", c.archived_at, c.archived_by, c.position AS "position!",
       own.user_id IS NOT NULL AS "is_member!", own.role AS "role?",
       own.notification_level AS "notification_level?", people.members AS "members?: _", newest.created_at AS "last_message_at?"
FROM unnest($1::uuid[]) WITH ORDINALITY AS wanted (channel_id, place)
JOIN channels c ON c.channel_id = wanted.channel_id
LEFT JOIN channel_members own ON own.channel_id = c.channel_id AND own.user_id = $2 AND own.is_active
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
               'user_id', m.user_id, 'username', CASE WHEN u.status <> 'erased' THEN u.username END, 'display_name',
               CASE WHEN u.status <> 'erased' THEN u.display_name END, 'avatar_url', u.avatar_url,
               'is_erased', CASE WHEN u.status = 'erased' THEN TRUE END)) ORDER BY m.user_id) AS members
    FROM (SELECT user_id
          FROM channel_members
          WHERE channel_id = c.channel_id AND is_active AND c.channel_type IN ('dm', 'group_dm')
          ORDER BY user_id
          LIMIT $3) m
    LEFT JOIN users u ON u.user_id = m.user_id) people ON TRUE
LEFT JOIN LATERAL (
    SELECT created_at
    FROM messages
    WHERE channel_id = c.channel_id AND thread_id IS NULL AND NOT is_deleted
    ORDER BY created_at DESC
    LIMIT 1) newest ON TRUE
ORDER BY wanted.place
