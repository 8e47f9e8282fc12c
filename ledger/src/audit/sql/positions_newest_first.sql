-- The events of the workspace. Of the events without a workspace: the sign-ins of its members during their membership, and the events that
-- concern all workspaces. A filter by address finds a sign-in only if its session did something in the workspace (`here.rs`).
SELECT position AS "position!"
FROM ((SELECT position
       FROM audit_log
       WHERE ($1::uuid IS NULL OR workspace_id = $1)
         AND ($2::uuid IS NULL OR actor_id = $2)
         AND ($3::text IS NULL OR aggregate_type = $3)
         AND ($4::uuid IS NULL OR aggregate_id = $4)
         AND ($5::text IS NULL OR event_type = $5)
         AND ($6::text[] IS NULL OR command = ANY ($6))
         AND ($7::uuid IS NULL OR session_id = $7)
         AND ($8::text IS NULL OR address = $8)
         AND ($9::uuid IS NULL OR correlation_id = $9)
         AND position > $10
         AND position < $11
       ORDER BY position DESC
       LIMIT $12)
      UNION ALL
      (SELECT a.position
       FROM audit_log a
       WHERE $1::uuid IS NOT NULL
         AND a.person_id IS NOT NULL
         AND ($2::uuid IS NULL OR a.person_id = $2)
         AND ($3::text IS NULL OR a.aggregate_type = $3)
         AND ($4::uuid IS NULL OR a.aggregate_id = $4)
         AND ($5::text IS NULL OR a.event_type = $5)
         AND ($13::text IS NULL OR strpos(lower(a.command), $13) > 0)
         AND ($7::uuid IS NULL OR a.session_id = $7)
         AND ($8::text IS NULL OR (a.address = $8
                                   AND EXISTS (SELECT
                                               FROM audit_log here
                                               WHERE here.workspace_id = $1 AND here.session_id = a.session_id)))
         AND ($9::uuid IS NULL OR a.correlation_id = $9)
         AND a.position > $10
         AND a.position < $11
         AND EXISTS (SELECT
                     FROM workspace_members m
                     WHERE m.workspace_id = $1
                       AND m.user_id = a.person_id
                       AND m.joined_at <= a.recorded_at
                       AND (m.deactivated_at IS NULL OR a.recorded_at <= m.deactivated_at))
       ORDER BY a.position DESC
       LIMIT $12)
      UNION ALL
      (SELECT position
       FROM audit_log
       WHERE $1::uuid IS NOT NULL
         AND concerns_all
         AND ($2::uuid IS NULL OR actor_id = $2)
         AND ($3::text IS NULL OR aggregate_type = $3)
         AND ($4::uuid IS NULL OR aggregate_id = $4)
         AND ($5::text IS NULL OR event_type = $5)
         AND ($13::text IS NULL OR strpos(lower(command), $13) > 0)
         AND ($7::uuid IS NULL OR session_id = $7)
         AND $8::text IS NULL
         AND ($9::uuid IS NULL OR correlation_id = $9)
         AND position > $10
         AND position < $11
       ORDER BY position DESC
       LIMIT $12)) found
ORDER BY position DESC
LIMIT $12
