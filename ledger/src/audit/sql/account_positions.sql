-- Of a user's own stream, and of their sessions, those that were refused among them: of no workspace.
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
