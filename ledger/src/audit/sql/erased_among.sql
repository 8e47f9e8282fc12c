SELECT user_id FROM users WHERE user_id = ANY ($1) AND status = 'erased'
