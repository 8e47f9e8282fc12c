SELECT member_id, workspace_id, user_id, role, title, department, status, invited_by, permissions, last_seen_at, timezone, joined_at,
       deactivated_at, updated_at, position
FROM workspace_members
WHERE member_id = ANY ($1)
