-- LATERAL with LIMIT, so that Postgres looks for each identifier only in its own month, and looks up the names one by one.
SELECT NULL::jsonb AS "thread?: _", m.message_id AS "message_id!", m.channel_id AS "channel_id!", m.workspace_id AS "workspace_id!", m.user_id AS "user_id!",
       u.username AS "username?", u.display_name AS "display_name?",
       u.avatar_url AS "avatar_url?", COALESCE(u.is_erased, FALSE) AS "is_erased!",
       m.content AS "content!", m.message_type AS "message_type!", m.formatted_content, m.thread_id, m.reply_count AS "reply_count!",
       m.is_pinned AS "is_pinned!", m.pinned_at, m.pinned_by, m.is_deleted AS "is_deleted!", m.deleted_at, m.reactions AS "reactions!: _",
       m.edited_at, m.edited_by, m.client_msg_id, m.created_at AS "created_at!", m.updated_at AS "updated_at!"
FROM unnest($1::uuid[], $2::timestamptz[]) AS wanted (message_id, created_at)
CROSS JOIN LATERAL (
    SELECT *
    FROM messages
    WHERE message_id = wanted.message_id AND created_at = wanted.created_at
    LIMIT 1) m
LEFT JOIN LATERAL (SELECT CASE WHEN status <> 'erased' THEN username END AS username,
                          CASE WHEN status <> 'erased' THEN display_name END AS display_name, avatar_url, status = 'erased' AS is_erased
                   FROM users WHERE user_id = m.user_id LIMIT 1) u ON TRUE
