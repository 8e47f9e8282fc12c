SELECT invitation_id, workspace_id, email, role, status, invited_by, expires_at, created_at, updated_at, position
FROM workspace_invitations
WHERE workspace_id = $1 AND invitation_id = $2
