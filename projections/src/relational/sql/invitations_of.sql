SELECT invitation_id AS "invitation_id!" FROM (
    SELECT invitation_id FROM workspace_invitations WHERE lower(email) = lower($2::text)
    UNION
    -- A user may accept an invitation that was sent to another address of theirs. Only the log has that address.
    SELECT (payload -> event_type ->> 'invitation_id')::uuid
    FROM public.events
    WHERE aggregate_type = 'workspace'
      AND aggregate_id IN (SELECT workspace_id::text FROM workspace_members WHERE user_id = $1)
      AND event_type = 'workspace.member_joined'
      AND payload -> event_type ->> 'user_id' = $1::text
) AS invitations
WHERE invitation_id IS NOT NULL
ORDER BY invitation_id
