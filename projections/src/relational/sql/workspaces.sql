SELECT workspace_id, name, domain, description, avatar_url, settings, plan_type, max_members, billing_email,
       subscription_status, sso_enabled, sso_config, require_2fa, general_channel_id, created_at, updated_at, position
FROM workspaces
WHERE workspace_id = ANY ($1)
