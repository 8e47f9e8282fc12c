SELECT e.position, e.event_id, e.recorded_at, a.actor_id, e.workspace_id, e.aggregate_type, a.aggregate_id, e.sequence, e.event_type,
       e.event_version, e.payload, e.metadata
FROM (SELECT position, actor_id, aggregate_id
      FROM audit_log
      WHERE ($1::uuid IS NULL OR workspace_id = $1)
        AND ($2::uuid IS NULL OR actor_id = $2)
        AND ($3::text IS NULL OR aggregate_type = $3)
        AND ($4::uuid IS NULL OR aggregate_id = $4)
        AND ($5::text IS NULL OR event_type = $5)
        AND position > $6
        AND position < $7
      ORDER BY position
      LIMIT $8) a
JOIN events e ON e.position = a.position
ORDER BY e.position
