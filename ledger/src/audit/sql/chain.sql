-- All causes and all effects of an event that belong to the workspace. UNION, so that the query ends even if there is a circle.
WITH RECURSIVE causes (event_id, causation_id, position) AS (
    SELECT event_id, causation_id, position FROM audit_log WHERE event_id = $2
    UNION
    SELECT a.event_id, a.causation_id, a.position
    FROM causes c
    JOIN audit_log a ON a.event_id = c.causation_id
    WHERE a.workspace_id = $1
), effects (event_id, position) AS (
    SELECT event_id, position FROM audit_log WHERE causation_id = $2 AND workspace_id = $1
    UNION
    SELECT a.event_id, a.position
    FROM effects e
    JOIN audit_log a ON a.causation_id = e.event_id
    WHERE a.workspace_id = $1
)
(SELECT position AS "position!", TRUE AS "is_cause!" FROM causes WHERE event_id <> $2 ORDER BY position LIMIT $3)
UNION ALL
(SELECT position, FALSE FROM effects WHERE event_id <> $2 ORDER BY position LIMIT $3)
