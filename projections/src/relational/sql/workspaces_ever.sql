SELECT workspace_id FROM workspace_members WHERE user_id = $1 ORDER BY workspace_id
