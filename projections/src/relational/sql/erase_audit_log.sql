-- As `domain::personal::metadata_owner` says whose an address is: the actor's, and of a sign-in that the server noted, theirs who have the login.
UPDATE audit_log
SET address = NULL
WHERE address IS NOT NULL
  AND position IN (
      SELECT position FROM audit_log WHERE actor_id = ANY ($1)
      UNION ALL
      SELECT position FROM audit_log WHERE person_id = ANY ($1) AND actor_id = $2)
