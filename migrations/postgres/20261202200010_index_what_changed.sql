-- Runs beside: 0.1.0
-- For `GET …/changes` (docs/decisions/0048-what-a-client-is-told-of-an-event.md). Building them stops appends for as long as it takes
-- to read `events` once: about a second for a million events.

-- The events of a workspace, in order.
CREATE INDEX events_workspace ON public.events (workspace_id, position) WHERE workspace_id IS NOT NULL;
-- The events of people, who belong to no workspace.
CREATE INDEX events_people ON public.events (position) WHERE aggregate_type = 'user';
-- Who came to a channel and left it. The expression stands in commands/src/access/past.rs too.
CREATE INDEX events_of_channel_members ON public.events (workspace_id, (payload -> event_type ->> 'user_id'), position)
    WHERE event_type IN ('channel.member_joined', 'channel.member_left', 'channel.member_removed');
-- What a member of a workspace could see. A handover names two people, and has no `user_id`.
CREATE INDEX events_of_members ON public.events (workspace_id, (payload -> event_type ->> 'user_id'), position)
    WHERE event_type IN ('workspace.member_joined', 'workspace.member_role_changed', 'workspace.member_permissions_changed',
                         'workspace.member_deactivated', 'workspace.member_reactivated', 'workspace.handed_over');
