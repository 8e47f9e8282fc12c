SELECT invitation_id, workspace_id, email, role, status, invited_by, expires_at, created_at, updated_at, position
FROM workspace_invitations
WHERE workspace_id = $1 AND status = 'pending'
  AND ($2::timestamptz IS NULL OR (created_at, invitation_id) > ($2, $3::uuid))
ORDER BY created_at, invitation_id
LIMIT $4
