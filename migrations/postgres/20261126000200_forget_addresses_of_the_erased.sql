-- Whoever is erased is not said to have come from anywhere any more: the projector forgets it with the erasure. Of those whom it had erased before,
-- it goes here.

UPDATE read.audit_log a
SET address = NULL
FROM read.users u
WHERE u.status = 'erased'
  AND a.address IS NOT NULL
  AND (a.actor_id = u.user_id OR (a.person_id = u.user_id AND a.actor_id = '00000000-0000-0000-0000-000000000000'));
