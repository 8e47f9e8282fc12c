-- A member whom an import added joined long before the import: what was said until the import is history, and counts as read
-- (docs/decisions/0031-what-an-import-finds-is-history.md). Empty for a member who joined here.
ALTER TABLE read.channel_members ADD COLUMN history_until TIMESTAMPTZ;

-- The last joining of each member decides, as in the projection.
UPDATE read.channel_members m
SET history_until = joined.recorded_at
FROM (SELECT DISTINCT ON (aggregate_id, payload -> 'channel.member_joined' ->> 'user_id')
             aggregate_id::uuid AS channel_id, (payload -> 'channel.member_joined' ->> 'user_id')::uuid AS user_id,
             recorded_at, (metadata ->> 'occurred_at')::timestamptz AS occurred_at
      FROM public.events
      WHERE aggregate_type = 'channel' AND event_type = 'channel.member_joined'
      ORDER BY aggregate_id, payload -> 'channel.member_joined' ->> 'user_id', position DESC) joined
WHERE m.channel_id = joined.channel_id AND m.user_id = joined.user_id AND joined.occurred_at < joined.recorded_at;
