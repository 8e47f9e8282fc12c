SELECT to_jsonb(m) || jsonb_build_object('workspace', w.name) AS "membership!"
FROM workspace_members m
JOIN workspaces w ON w.workspace_id = m.workspace_id
WHERE m.user_id = $1
ORDER BY m.workspace_id
