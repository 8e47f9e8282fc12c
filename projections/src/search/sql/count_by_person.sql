SELECT user_id AS key, count(*) AS "messages!", count(DISTINCT user_id) AS "authors!"
FROM messages
WHERE workspace_id = $1 AND NOT is_deleted AND message_type <> 'system'
  AND ($2::timestamptz IS NULL OR created_at >= $2) AND ($3::timestamptz IS NULL OR created_at < $3)
GROUP BY user_id
ORDER BY count(*) DESC, user_id
LIMIT $4
