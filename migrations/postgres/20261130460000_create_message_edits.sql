-- The earlier texts of messages, one row each. `messages.edit_history` keeps the latest five: an edit that writes all earlier
-- texts again costs more with every edit.
CREATE TABLE read.message_edits (
    message_id UUID NOT NULL,
    position BIGINT NOT NULL, -- the edit that replaced the text
    workspace_id UUID NOT NULL,
    user_id UUID NOT NULL, -- the author of the message
    content TEXT NOT NULL,
    edited_at TIMESTAMPTZ NOT NULL,
    edited_by UUID NOT NULL,
    CONSTRAINT message_edits_pkey PRIMARY KEY (message_id, position)
);
-- Exports and erasures of a person.
CREATE INDEX idx_message_edits_user ON read.message_edits (user_id, workspace_id, message_id, position);

-- The nth earlier text was replaced by the nth edit. A message that was deleted, purged or erased has no earlier texts.
INSERT INTO read.message_edits (message_id, position, workspace_id, user_id, content, edited_at, edited_by)
SELECT m.message_id, e.position, m.workspace_id, m.user_id, h.earlier ->> 'content',
       (h.earlier ->> 'edited_at')::timestamptz, (h.earlier ->> 'edited_by')::uuid
FROM (SELECT message_id, workspace_id, user_id, edit_history FROM read.messages WHERE edit_history <> '[]'
      UNION ALL
      SELECT message_id, workspace_id, user_id, edit_history FROM read.messages_archive WHERE edit_history <> '[]') AS m
CROSS JOIN LATERAL jsonb_array_elements(m.edit_history) WITH ORDINALITY AS h (earlier, n)
JOIN LATERAL (SELECT position, row_number() OVER (ORDER BY sequence) AS n
              FROM public.events
              WHERE aggregate_type = 'message' AND aggregate_id = m.message_id::text AND event_type = 'message.edited') AS e
  ON e.n = h.n;

UPDATE read.messages
SET edit_history = (SELECT jsonb_agg(earlier ORDER BY n) FROM jsonb_array_elements(edit_history) WITH ORDINALITY AS h (earlier, n)
                    WHERE n > jsonb_array_length(edit_history) - 5)
WHERE jsonb_array_length(edit_history) > 5;
UPDATE read.messages_archive
SET edit_history = (SELECT jsonb_agg(earlier ORDER BY n) FROM jsonb_array_elements(edit_history) WITH ORDINALITY AS h (earlier, n)
                    WHERE n > jsonb_array_length(edit_history) - 5)
WHERE jsonb_array_length(edit_history) > 5;
