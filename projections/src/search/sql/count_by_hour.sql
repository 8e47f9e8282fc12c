SELECT EXTRACT(hour FROM created_at AT TIME ZONE 'UTC')::int AS "key!", count(*) AS "messages!", count(DISTINCT user_id) AS "authors!"
FROM messages
WHERE workspace_id = $1 AND NOT is_deleted AND message_type <> 'system'
  AND ($2::timestamptz IS NULL OR created_at >= $2) AND ($3::timestamptz IS NULL OR created_at < $3)
GROUP BY 1
ORDER BY 1
LIMIT $4
