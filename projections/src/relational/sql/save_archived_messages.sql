INSERT INTO messages_archive
    (message_id, channel_id, workspace_id, user_id, content, message_type, formatted_content, thread_id, reply_count,
     is_pinned, pinned_at, pinned_by, is_deleted, deleted_at, deleted_by, reactions, edited_at, edited_by, edit_history,
     client_msg_id, created_at, updated_at, position, purged_at)
SELECT message_id, channel_id, workspace_id, user_id, content, message_type, formatted_content::jsonb, thread_id, reply_count,
       pinned_at IS NOT NULL, pinned_at, pinned_by, deleted_at IS NOT NULL, deleted_at, deleted_by, reactions::jsonb,
       edited_at, edited_by, edit_history::jsonb, client_msg_id, created_at, updated_at, position, purged_at
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::int[],
            $10::timestamptz[], $11::uuid[], $12::timestamptz[], $13::uuid[], $14::text[], $15::timestamptz[], $16::uuid[],
            $17::text[], $18::text[], $19::timestamptz[], $20::timestamptz[], $21::bigint[], $22::timestamptz[])
     AS batch (message_id, channel_id, workspace_id, user_id, content, message_type, formatted_content, thread_id, reply_count,
               pinned_at, pinned_by, deleted_at, deleted_by, reactions, edited_at, edited_by, edit_history, client_msg_id,
               created_at, updated_at, position, purged_at)
ON CONFLICT (message_id, created_at) DO UPDATE
SET (channel_id, workspace_id, user_id, content, message_type, formatted_content, thread_id, reply_count, is_pinned, pinned_at,
     pinned_by, is_deleted, deleted_at, deleted_by, reactions, edited_at, edited_by, edit_history, client_msg_id, updated_at,
     position, purged_at)
  = (EXCLUDED.channel_id, EXCLUDED.workspace_id, EXCLUDED.user_id, EXCLUDED.content, EXCLUDED.message_type,
     EXCLUDED.formatted_content, EXCLUDED.thread_id, EXCLUDED.reply_count, EXCLUDED.is_pinned, EXCLUDED.pinned_at,
     EXCLUDED.pinned_by, EXCLUDED.is_deleted, EXCLUDED.deleted_at, EXCLUDED.deleted_by, EXCLUDED.reactions, EXCLUDED.edited_at,
     EXCLUDED.edited_by, EXCLUDED.edit_history, EXCLUDED.client_msg_id, EXCLUDED.updated_at, EXCLUDED.position,
     EXCLUDED.purged_at)
WHERE messages_archive.position < EXCLUDED.position
