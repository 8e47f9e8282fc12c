-- The events of the user's own stream and of the user's sessions, including refused sign-ins. They have no workspace.
SELECT position AS "position!"
FROM ((SELECT position
       FROM audit_log
       WHERE workspace_id IS NULL AND aggregate_type = 'user' AND aggregate_id = $1 AND position > $2
       ORDER BY position
       LIMIT $3)
      UNION ALL
      (SELECT position
       FROM audit_log
       WHERE person_id = $1 AND position > $2
       ORDER BY position
       LIMIT $3)) found
ORDER BY position
LIMIT $3
