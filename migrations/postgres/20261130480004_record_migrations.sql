-- Runs beside: 0.1.0

-- Which release applied each migration, and beside which earlier releases it may stand
-- (docs/decisions/0042-a-migration-says-beside-which-releases-it-may-stand.md). `backscroll migrate` fills it.
CREATE TABLE public.migration_records (
    version BIGINT CONSTRAINT migration_records_pkey PRIMARY KEY,
    applied_by TEXT NOT NULL, -- the release and its commit
    runs_beside TEXT          -- the first release that works with it, without knowing it; NULL if no earlier one does
);
