-- LATERAL with LIMIT, so that Postgres looks for each identifier only in its own month.
SELECT m.message_id, m.channel_id, m.workspace_id, m.user_id, m.content, m.message_type,
       m.formatted_content::text AS formatted_content, m.thread_id, m.reply_count, m.pinned_at, m.pinned_by, m.deleted_at,
       m.deleted_by, m.reactions AS "reactions: Json<Vec<Reaction>>", m.edited_at, m.edited_by,
       m.edit_history AS "edit_history: Json<Vec<EarlierText>>", m.client_msg_id, m.created_at, m.updated_at, m.position, m.purged_at
FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS wanted (message_id, earliest, latest)
CROSS JOIN LATERAL (
    SELECT *
    FROM messages_archive
    WHERE message_id = wanted.message_id
      AND created_at BETWEEN wanted.earliest AND wanted.latest
    LIMIT 1) m
