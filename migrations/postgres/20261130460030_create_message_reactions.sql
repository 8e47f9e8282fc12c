-- The people who reacted to messages, one row each. `messages.reactions` keeps the first 50 of each emoji, and `reaction_counts` their
-- number where there are more: a reaction that writes all earlier ones again costs more with every person.
CREATE TABLE read.message_reactions (
    message_id UUID NOT NULL,
    emoji TEXT NOT NULL,
    user_id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    position BIGINT NOT NULL,
    reacted_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT message_reactions_pkey PRIMARY KEY (message_id, emoji, user_id)
);
CREATE INDEX idx_message_reactions_position ON read.message_reactions (message_id, emoji, position);

ALTER TABLE read.messages ADD COLUMN reaction_counts JSONB NOT NULL DEFAULT '{}';
ALTER TABLE read.messages_archive ADD COLUMN reaction_counts JSONB NOT NULL DEFAULT '{}';

-- The latest reaction of each person with each emoji. The rebuild that follows shortens the lists in `messages`.
INSERT INTO read.message_reactions (message_id, emoji, user_id, workspace_id, position, reacted_at)
SELECT m.message_id, r.emoji, p.user_id::uuid, m.workspace_id, e.position, e.at
FROM (SELECT message_id, workspace_id, reactions FROM read.messages WHERE reactions <> '{}'
      UNION ALL
      SELECT message_id, workspace_id, reactions FROM read.messages_archive WHERE reactions <> '{}') AS m
CROSS JOIN LATERAL jsonb_each(m.reactions) AS r (emoji, people)
CROSS JOIN LATERAL jsonb_array_elements_text(r.people) AS p (user_id)
JOIN LATERAL (SELECT position, recorded_at AS at
              FROM public.events
              WHERE aggregate_type = 'message' AND aggregate_id = m.message_id::text AND event_type = 'message.reacted'
                AND payload -> event_type ->> 'emoji' = r.emoji AND payload -> event_type ->> 'user_id' = p.user_id
              ORDER BY sequence DESC LIMIT 1) AS e ON TRUE;
