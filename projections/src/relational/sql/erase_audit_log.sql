-- `domain::personal::metadata_owner` decides who owns an address: the actor, or the user of the login if the server recorded a sign-in.
UPDATE audit_log
SET address = NULL
WHERE address IS NOT NULL
  AND position IN (
      SELECT position FROM audit_log WHERE actor_id = ANY ($1)
      UNION ALL
      SELECT position FROM audit_log WHERE person_id = ANY ($1) AND actor_id = $2)
