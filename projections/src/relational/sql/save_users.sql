INSERT INTO users
SELECT * FROM jsonb_populate_recordset(NULL::users, $1)
ON CONFLICT (user_id) DO UPDATE
SET (email, username, display_name, avatar_url, timezone, status, title, phone, bio, pronouns, notification_settings,
     theme_preferences, language, mfa_enabled, status_text, status_emoji, status_expires_at, is_bot, is_operator, created_at,
     updated_at, last_login_at, position, erasure_due_at)
  = (EXCLUDED.email, EXCLUDED.username, EXCLUDED.display_name, EXCLUDED.avatar_url, EXCLUDED.timezone, EXCLUDED.status,
     EXCLUDED.title, EXCLUDED.phone, EXCLUDED.bio, EXCLUDED.pronouns, EXCLUDED.notification_settings, EXCLUDED.theme_preferences,
     EXCLUDED.language, EXCLUDED.mfa_enabled, EXCLUDED.status_text, EXCLUDED.status_emoji, EXCLUDED.status_expires_at,
     EXCLUDED.is_bot, EXCLUDED.is_operator, EXCLUDED.created_at, EXCLUDED.updated_at, EXCLUDED.last_login_at, EXCLUDED.position,
     EXCLUDED.erasure_due_at)
WHERE users.position < EXCLUDED.position
