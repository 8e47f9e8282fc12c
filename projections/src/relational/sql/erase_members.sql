UPDATE workspace_members
SET title = NULL, department = NULL
WHERE user_id = ANY ($1) AND (title IS NOT NULL OR department IS NOT NULL)
