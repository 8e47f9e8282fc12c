INSERT INTO message_reactions (message_id, emoji, user_id, workspace_id, position, reacted_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::bigint[], $6::timestamptz[])
ON CONFLICT (message_id, emoji, user_id) DO UPDATE
SET (workspace_id, position, reacted_at) = (EXCLUDED.workspace_id, EXCLUDED.position, EXCLUDED.reacted_at)
