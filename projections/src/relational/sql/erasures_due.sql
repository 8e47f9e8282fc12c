SELECT user_id FROM users WHERE erasure_due_at <= $1 ORDER BY erasure_due_at, user_id LIMIT $2
