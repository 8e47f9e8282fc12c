INSERT INTO workspace_members
SELECT * FROM jsonb_populate_recordset(NULL::workspace_members, $1)
ON CONFLICT (member_id) DO UPDATE
SET (workspace_id, user_id, role, title, department, status, invited_by, permissions, last_seen_at, timezone, joined_at,
     deactivated_at, updated_at, position)
  = (EXCLUDED.workspace_id, EXCLUDED.user_id, EXCLUDED.role, EXCLUDED.title, EXCLUDED.department, EXCLUDED.status,
     EXCLUDED.invited_by, EXCLUDED.permissions, EXCLUDED.last_seen_at, EXCLUDED.timezone, EXCLUDED.joined_at,
     EXCLUDED.deactivated_at, EXCLUDED.updated_at, EXCLUDED.position)
WHERE workspace_members.position < EXCLUDED.position
