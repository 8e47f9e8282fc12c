-- How far each person has read each channel. State that changes all the time and that nobody audits: not in the log, and not to be built
-- from it (docs/ARCHITECTURE.md). So it does not stand in schema `read`, which a rebuild replaces.
CREATE TABLE public.read_markers (
    user_id UUID NOT NULL,
    channel_id UUID NOT NULL,
    message_id UUID NOT NULL,
    created_at TIMESTAMPTZ NOT NULL, -- of the message: with its identifier, its place in the channel
    moved_back BOOLEAN NOT NULL DEFAULT FALSE, -- it was asked to go back: it may stand before one's joining
    log_at TIMESTAMPTZ NOT NULL, -- the moment of the log's last event then: coming back to a channel makes an older marker void
    CONSTRAINT read_markers_pkey PRIMARY KEY (user_id, channel_id)
);
