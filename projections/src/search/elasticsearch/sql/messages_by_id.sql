-- One statement, so that the rows and the position that they are of come from the same moment.
SELECT (SELECT position FROM projection_checkpoints WHERE projection = 'relational') AS version, m.message_id, m.workspace_id,
       m.channel_id, m.user_id, COALESCE(u.username, '') AS "username!", COALESCE(u.display_name, '') AS "display_name!",
       m.content, m.message_type, m.thread_id, m.formatted_content::text AS formatted_content, m.reactions::text AS "reactions!",
       m.reply_count, m.is_pinned, m.is_deleted, m.created_at, m.updated_at, m.position, c.name AS "channel_name?"
FROM unnest($1::uuid[], $2::timestamptz[]) AS wanted (message_id, sent_in)
CROSS JOIN LATERAL (
    SELECT *
    FROM messages
    WHERE message_id = wanted.message_id
      AND created_at >= wanted.sent_in
      AND created_at < wanted.sent_in + INTERVAL '1 millisecond'
    LIMIT 1) m
LEFT JOIN users u ON u.user_id = m.user_id
LEFT JOIN channels c ON c.channel_id = m.channel_id
