SELECT aggregate_id AS message_id, happened_at, position
FROM audit_log
WHERE channel_id = $1
  AND position <= $2
  AND happened_at <= $3
  AND (happened_at, position) < ($4, $5)
ORDER BY happened_at DESC, position DESC
LIMIT $6
