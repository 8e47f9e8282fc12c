-- Replays of projections: one row each, kept up to date by whoever runs it, so that every node can show how far it is, and cancel it.
CREATE TABLE public.replays (
    replay_id UUID CONSTRAINT replays_pkey PRIMARY KEY,
    projection TEXT NOT NULL,
    asked JSONB NOT NULL, -- the payload of the event that says so (installation.replay_started)
    holder TEXT NOT NULL, -- who runs it: the host and the process
    state TEXT NOT NULL DEFAULT 'running', -- then its outcome: switched, checked, repaired, built, differs, failed, cancelled, cut_off
    phase TEXT NOT NULL DEFAULT 'starting',
    done BIGINT NOT NULL DEFAULT 0,
    total BIGINT NOT NULL DEFAULT 0,
    phase_began_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    started_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    seen_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(), -- when it last gave a sign of life
    ended_at TIMESTAMPTZ,
    cancel_asked BOOLEAN NOT NULL DEFAULT FALSE,
    report JSONB, -- what it found: projections/src/rebuild/report.rs
    error TEXT
);
CREATE INDEX idx_replays_projection ON public.replays (projection, started_at DESC);
CREATE INDEX idx_replays_running ON public.replays (seen_at) WHERE ended_at IS NULL;

-- Models as of a moment, each in a schema of its own, to look at.
CREATE TABLE public.replay_views (
    name TEXT CONSTRAINT replay_views_pkey PRIMARY KEY,
    schema_name TEXT NOT NULL,
    position BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    is_built BOOLEAN NOT NULL DEFAULT FALSE
);

-- Which version of a projection the live model is of: a process of another version does not write to it.
ALTER TABLE public.projection_checkpoints ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
