-- Runs beside: none

-- `reactions` becomes a list in the order of the first of each emoji, with the number of users: an object in jsonb has no order. The rebuild
-- that follows the start of this release brings the order that the log has. Until then, the lists that are there are in order of the
-- reactions that still stand.
ALTER TABLE read.messages ADD COLUMN ordered_reactions JSONB NOT NULL DEFAULT '[]';
ALTER TABLE read.messages_archive ADD COLUMN ordered_reactions JSONB NOT NULL DEFAULT '[]';

UPDATE read.messages m
SET ordered_reactions = (
    SELECT jsonb_agg(jsonb_build_object('emoji', r.emoji, 'users', r.users,
                                        'count', COALESCE((m.reaction_counts ->> r.emoji)::bigint, jsonb_array_length(r.users)))
                     ORDER BY first.position NULLS LAST, r.emoji)
    FROM jsonb_each(m.reactions) AS r (emoji, users)
    LEFT JOIN LATERAL (SELECT min(position) AS position
                       FROM read.message_reactions k
                       WHERE k.message_id = m.message_id AND k.emoji = r.emoji) AS first ON TRUE)
WHERE reactions <> '{}';

UPDATE read.messages_archive m
SET ordered_reactions = (
    SELECT jsonb_agg(jsonb_build_object('emoji', r.emoji, 'users', r.users,
                                        'count', COALESCE((m.reaction_counts ->> r.emoji)::bigint, jsonb_array_length(r.users)))
                     ORDER BY first.position NULLS LAST, r.emoji)
    FROM jsonb_each(m.reactions) AS r (emoji, users)
    LEFT JOIN LATERAL (SELECT min(position) AS position
                       FROM read.message_reactions k
                       WHERE k.message_id = m.message_id AND k.emoji = r.emoji) AS first ON TRUE)
WHERE reactions <> '{}';

ALTER TABLE read.messages DROP COLUMN reactions, DROP COLUMN reaction_counts;
ALTER TABLE read.messages RENAME COLUMN ordered_reactions TO reactions;
ALTER TABLE read.messages_archive DROP COLUMN reactions, DROP COLUMN reaction_counts;
ALTER TABLE read.messages_archive RENAME COLUMN ordered_reactions TO reactions;
