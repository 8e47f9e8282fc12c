SELECT lower(u.username) AS "name!", u.user_id
FROM users u
JOIN workspace_members m ON m.user_id = u.user_id
WHERE m.workspace_id = $1 AND lower(u.username) = ANY ($2)
  -- A guest knows the names of people who are or were in the guest's channels, because messages there show them.
  AND ($3::uuid[] IS NULL OR u.user_id = $4
       OR EXISTS (SELECT FROM channel_members c WHERE c.channel_id = ANY ($3) AND c.user_id = u.user_id))
