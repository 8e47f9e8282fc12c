UPDATE workspace_invitations
SET email = 'erased@erased.invalid'
WHERE invitation_id = ANY ($1) AND email <> 'erased@erased.invalid'
