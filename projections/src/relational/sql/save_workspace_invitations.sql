INSERT INTO workspace_invitations
SELECT * FROM jsonb_populate_recordset(NULL::workspace_invitations, $1)
ON CONFLICT (invitation_id) DO UPDATE
SET (workspace_id, email, role, status, invited_by, expires_at, created_at, updated_at, position)
  = (EXCLUDED.workspace_id, EXCLUDED.email, EXCLUDED.role, EXCLUDED.status, EXCLUDED.invited_by, EXCLUDED.expires_at,
     EXCLUDED.created_at, EXCLUDED.updated_at, EXCLUDED.position)
WHERE workspace_invitations.position < EXCLUDED.position
