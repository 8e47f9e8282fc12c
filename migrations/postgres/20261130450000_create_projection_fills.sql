-- Projections that are being filled now: for the first time, or again after their store has lost its data. One row each, which the
-- process that fills it keeps up to date (projections/src/rebuild/fills.rs). A row that was not written for some seconds is left over.
CREATE TABLE public.projection_fills (
    projection TEXT CONSTRAINT projection_fills_pkey PRIMARY KEY,
    holder TEXT NOT NULL, -- the host and the process
    phase TEXT NOT NULL,
    done BIGINT NOT NULL DEFAULT 0,
    total BIGINT NOT NULL DEFAULT 0,
    started_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    phase_began_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    seen_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp() -- when it was last written
);
