SELECT event_id AS "id!", position AS "position!", FALSE AS "is_effect!"
FROM audit_log
WHERE event_id = ANY ($2::uuid[]) AND ($1::uuid IS NULL OR workspace_id = $1)
UNION ALL
(SELECT causation_id, position, TRUE
 FROM audit_log
 WHERE causation_id = ANY ($3::uuid[]) AND ($1::uuid IS NULL OR workspace_id = $1)
 ORDER BY position
 LIMIT $4)
