-- The messages of some channels that mention the user, after a position in each channel. Replies in threads are included.
SELECT m.channel_id, m.message_id, m.user_id, m.created_at, m.formatted_content AS "formatted_content!"
FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[]) AS p (channel_id, since_at, since_id)
JOIN messages m ON m.channel_id = p.channel_id AND m.created_at >= p.since_at AND (m.created_at, m.message_id) > (p.since_at, p.since_id)
WHERE NOT m.is_deleted AND m.message_type <> 'system' AND m.formatted_content ?| ARRAY ['mentions', 'broadcasts']
