SELECT user_id FROM users WHERE is_operator AND status = 'active' ORDER BY user_id LIMIT $1
