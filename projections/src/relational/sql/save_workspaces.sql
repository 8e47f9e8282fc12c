INSERT INTO workspaces
SELECT * FROM jsonb_populate_recordset(NULL::workspaces, $1)
ON CONFLICT (workspace_id) DO UPDATE
SET (name, domain, description, avatar_url, settings, plan_type, max_members, billing_email, subscription_status, sso_enabled,
     sso_config, require_2fa, general_channel_id, created_at, updated_at, position)
  = (EXCLUDED.name, EXCLUDED.domain, EXCLUDED.description, EXCLUDED.avatar_url, EXCLUDED.settings, EXCLUDED.plan_type,
     EXCLUDED.max_members, EXCLUDED.billing_email, EXCLUDED.subscription_status, EXCLUDED.sso_enabled, EXCLUDED.sso_config,
     EXCLUDED.require_2fa, EXCLUDED.general_channel_id, EXCLUDED.created_at, EXCLUDED.updated_at, EXCLUDED.position)
WHERE workspaces.position < EXCLUDED.position
