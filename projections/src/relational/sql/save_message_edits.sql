INSERT INTO message_edits (message_id, position, workspace_id, user_id, content, edited_at, edited_by)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[], $7::uuid[])
ON CONFLICT (message_id, position) DO NOTHING
