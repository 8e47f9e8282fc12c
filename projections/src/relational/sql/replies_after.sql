-- LATERAL with LIMIT: Postgres looks up the names of one page one by one, even if it expects many more rows.
SELECT NULL::jsonb AS "thread?: _", m.message_id, m.channel_id, m.workspace_id, m.user_id, u.username AS "username?", u.display_name AS "display_name?",
       u.avatar_url AS "avatar_url?", COALESCE(u.is_erased, FALSE) AS "is_erased!", m.content, m.message_type,
       m.formatted_content, m.thread_id, m.reply_count, m.is_pinned, m.pinned_at, m.pinned_by, m.is_deleted, m.deleted_at,
       m.reactions AS "reactions: _", m.edited_at, m.edited_by, m.client_msg_id, m.created_at, m.updated_at
FROM (SELECT *
      FROM messages
      WHERE channel_id = $1 AND thread_id = $2 AND NOT is_deleted
        AND created_at >= $3 AND (created_at, message_id) > ($3, $4)
      ORDER BY created_at, message_id
      LIMIT $5) m
LEFT JOIN LATERAL (SELECT CASE WHEN status <> 'erased' THEN username END AS username,
                          CASE WHEN status <> 'erased' THEN display_name END AS display_name, avatar_url, status = 'erased' AS is_erased
                   FROM users WHERE user_id = m.user_id LIMIT 1) u ON TRUE
ORDER BY m.created_at, m.message_id
