SELECT user_id
FROM users
WHERE status = 'erased'
  AND (EXISTS (SELECT FROM secret.credentials WHERE credentials.user_id = users.user_id)
       OR EXISTS (SELECT FROM secret.sessions WHERE sessions.user_id = users.user_id)
       OR EXISTS (SELECT FROM state.exports WHERE exports.user_id = users.user_id))
ORDER BY user_id
LIMIT $1
