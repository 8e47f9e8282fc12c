-- The channels that the user can read according to the read model: those that the user is a member of, and the public ones. `read_at`
-- is the position of these rows, unless an event of the workspace is missing in them: a parked one, or one that operators skipped.
WITH here AS (
    SELECT position AS read_at
    FROM projection_checkpoints
    WHERE projection = 'relational'
      AND NOT EXISTS (SELECT FROM parked_keys WHERE projection = 'relational' AND park_key = 'workspace:' || $1::uuid)
      AND NOT EXISTS (SELECT FROM events
                      WHERE aggregate_type = 'installation' AND aggregate_id = '00000000-0000-0000-0000-000000000000'
                        AND event_type = 'installation.event_skipped'
                        AND payload -> event_type ->> 'projection' = 'relational'))
SELECT channel_id AS "channel_id!", name, channel_type AS "channel_type!", is_member AS "is_member!",
       (SELECT read_at FROM here) AS read_at
FROM (
    SELECT c.channel_id, c.name, c.channel_type, TRUE AS is_member
    FROM channel_members m
    JOIN channels c ON c.channel_id = m.channel_id
    WHERE m.user_id = $2 AND m.is_active AND m.workspace_id = $1
    UNION ALL
    SELECT c.channel_id, c.name, c.channel_type, FALSE
    FROM channels c
    WHERE c.workspace_id = $1 AND c.channel_type = 'public'
      AND NOT EXISTS (SELECT FROM channel_members m WHERE m.channel_id = c.channel_id AND m.user_id = $2 AND m.is_active)
    ) AS rooms
LIMIT $3
