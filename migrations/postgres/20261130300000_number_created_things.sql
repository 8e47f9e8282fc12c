-- Each workspace takes a slot of the person who created it, and each channel and group conversation one of its creator in its workspace:
-- how many one person may create is judged by these claims. Those of before get theirs here, in the order in which they were created;
-- what was imported, or came with its workspace, takes none.
INSERT INTO claims (kind, scope, value, holder)
SELECT 'workspace_slot', creator, (row_number() OVER (PARTITION BY creator ORDER BY position) - 1)::text, workspace_id
FROM (SELECT (metadata ->> 'actor')::uuid AS creator, position, workspace_id
      FROM events
      WHERE aggregate_type = 'workspace' AND sequence = 1 AND event_type = 'workspace.created' AND workspace_id IS NOT NULL) created
ON CONFLICT DO NOTHING;

INSERT INTO claims (kind, scope, value, holder)
SELECT 'channel_slot', workspace_id, creator || ':' || (row_number() OVER (PARTITION BY workspace_id, creator ORDER BY position) - 1), channel_id
FROM (SELECT payload -> 'channel.created' ->> 'created_by' AS creator, position, workspace_id, aggregate_id::uuid AS channel_id
      FROM events
      WHERE aggregate_type = 'channel' AND sequence = 1 AND event_type = 'channel.created' AND workspace_id IS NOT NULL
        AND payload -> 'channel.created' ->> 'kind' IN ('public', 'private', 'group_dm')
        AND metadata ->> 'command' = 'create channel') created
ON CONFLICT DO NOTHING;
