INSERT INTO mentions (user_id, workspace_id, created_at, message_id, channel_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[], $5::uuid[])
ON CONFLICT (message_id, user_id) DO NOTHING
