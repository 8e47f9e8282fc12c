SELECT workspace_id, name, domain, description, avatar_url, settings, plan_type, max_members, general_channel_id, created_at,
       updated_at, position
FROM workspaces
WHERE workspace_id = ANY ($1)
