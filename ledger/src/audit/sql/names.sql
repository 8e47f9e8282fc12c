SELECT user_id AS "id!", username AS "name!" FROM users WHERE user_id = ANY ($1)
UNION ALL
SELECT channel_id, COALESCE(name, channel_type) FROM channels WHERE channel_id = ANY ($1)
UNION ALL
SELECT workspace_id, name FROM workspaces WHERE workspace_id = ANY ($1)
