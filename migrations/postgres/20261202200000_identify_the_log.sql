-- Runs beside: 0.1.0
-- Which life of the log this is (docs/decisions/0047-the-log-has-an-identifier.md). A position is true within one life only: after
-- a recovery to an earlier moment, the same positions are given to other events.
ALTER TABLE public.database_identity
    ADD COLUMN log_id UUID NOT NULL DEFAULT gen_random_uuid(),
    -- The timeline of Postgres, which a recovery and a promotion change. Empty until a process of this release has come.
    ADD COLUMN timeline INTEGER;
