SELECT w.workspace_id, w.name, w.domain, w.description, w.avatar_url, w.settings, w.plan_type, w.max_members, w.billing_email,
       w.subscription_status, w.sso_enabled, w.sso_config, w.require_2fa, w.general_channel_id, w.created_at, w.updated_at, w.position
FROM workspace_members m
JOIN workspaces w ON w.workspace_id = m.workspace_id
WHERE m.user_id = $1 AND m.status = 'active'
  AND ($2::text IS NULL OR (lower(w.name), w.workspace_id) > (lower($2), $3::uuid))
ORDER BY lower(w.name), w.workspace_id
LIMIT $4
