-- The channels that have a retention policy. $1 is the workspace, or NULL for all workspaces.
SELECT c.channel_id, c.workspace_id, c.name, c.retention_policy AS "channel_policy: Json<RetentionPolicy>",
       w.settings -> 'retention_policy' AS "workspace_policy: Json<RetentionPolicy>"
FROM channels c
JOIN workspaces w ON w.workspace_id = c.workspace_id
WHERE ($1::uuid IS NULL OR c.workspace_id = $1) AND (c.retention_policy IS NOT NULL OR w.settings ? 'retention_policy')
ORDER BY c.workspace_id, c.channel_id
