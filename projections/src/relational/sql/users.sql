SELECT user_id, email, username, display_name, avatar_url, timezone, status, title, phone, bio, pronouns, notification_settings,
       theme_preferences, language, mfa_enabled, status_text, status_emoji, status_expires_at, is_bot, is_operator, created_at,
       updated_at, last_login_at, position, erasure_due_at
FROM users
WHERE user_id = ANY ($1)
ORDER BY user_id
