-- Exports of all data of one person: jobs, and their results for a limited time. The texts are plain, as in `read`: leave this
-- schema out of backups.
CREATE SCHEMA state;

CREATE TABLE state.exports (
    export_id UUID PRIMARY KEY,
    user_id UUID NOT NULL, -- the person whose data it has
    requested_by UUID NOT NULL, -- the only person who may download it
    requested_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'ready', 'failed')),
    attempt UUID, -- the attempt that writes it
    attempts INTEGER NOT NULL DEFAULT 0,
    lease_until TIMESTAMPTZ, -- another node takes a running job after this
    bytes BIGINT NOT NULL DEFAULT 0,
    expires_at TIMESTAMPTZ -- of a finished job: then it is deleted
);
-- One at a time of each person.
CREATE UNIQUE INDEX exports_unfinished ON state.exports (user_id) WHERE state IN ('queued', 'running');
CREATE INDEX exports_by_requester ON state.exports (requested_by, requested_at);

CREATE TABLE state.export_pieces (
    export_id UUID NOT NULL REFERENCES state.exports (export_id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    bytes BYTEA NOT NULL,
    PRIMARY KEY (export_id, number)
);
-- The bytes are compressed already.
ALTER TABLE state.export_pieces ALTER COLUMN bytes SET STORAGE EXTERNAL;
