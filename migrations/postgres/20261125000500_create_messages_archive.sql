-- What retention takes out of `messages` and keeps (docs/RETENTION.md), and how far the processes are that act on the log's behalf.

-- When a message was emptied, by a policy or for law. It stays as a row without its text, as it stays as an event without its text.
ALTER TABLE read.messages ADD COLUMN purged_at TIMESTAMPTZ;

-- The same shape as `messages`, but for what finds words: nobody searches here. A partition for each month, made as those of `messages` are.
CREATE TABLE read.messages_archive (
    message_id UUID NOT NULL,
    channel_id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    user_id UUID NOT NULL,
    content TEXT NOT NULL,
    message_type VARCHAR(20) NOT NULL DEFAULT 'text',
    formatted_content JSONB,
    thread_id UUID,
    reply_count INTEGER NOT NULL DEFAULT 0,
    is_pinned BOOLEAN NOT NULL DEFAULT FALSE,
    pinned_at TIMESTAMPTZ,
    pinned_by UUID,
    is_deleted BOOLEAN NOT NULL DEFAULT FALSE,
    deleted_at TIMESTAMPTZ,
    deleted_by UUID,
    reactions JSONB NOT NULL DEFAULT '{}',
    edited_at TIMESTAMPTZ,
    edited_by UUID,
    edit_history JSONB NOT NULL DEFAULT '[]',
    client_msg_id VARCHAR(100),
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    position BIGINT NOT NULL,
    purged_at TIMESTAMPTZ,
    CONSTRAINT messages_archive_pkey PRIMARY KEY (message_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX idx_messages_archive_channel_created ON read.messages_archive (channel_id, created_at DESC);
CREATE INDEX idx_messages_archive_user ON read.messages_archive (user_id);
CREATE INDEX idx_messages_archive_thread ON read.messages_archive (thread_id);

-- How far each process is that acts because of what the log says. Never set back: what it did is done.
CREATE TABLE public.process_cursors (
    process TEXT PRIMARY KEY,
    position BIGINT NOT NULL DEFAULT 0 CHECK (position >= 0),
    finished_at TIMESTAMPTZ, -- when it last came to an end, where it runs at set times
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
