CREATE SCHEMA state;

CREATE TABLE state.export_pieces (
    export_id uuid NOT NULL,
    number integer NOT NULL,
    bytes bytea NOT NULL
);
ALTER TABLE ONLY state.export_pieces ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE state.exports (
    export_id uuid NOT NULL,
    user_id uuid NOT NULL,
    requested_by uuid NOT NULL,
    requested_at timestamp with time zone DEFAULT now() NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    attempt uuid,
    attempts integer DEFAULT 0 NOT NULL,
    lease_until timestamp with time zone,
    bytes bigint DEFAULT 0 NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT exports_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'ready'::text, 'failed'::text])))
);

ALTER TABLE ONLY state.export_pieces
    ADD CONSTRAINT export_pieces_pkey PRIMARY KEY (export_id, number);

ALTER TABLE ONLY state.exports
    ADD CONSTRAINT exports_pkey PRIMARY KEY (export_id);

CREATE INDEX exports_by_requester ON state.exports USING btree (requested_by, requested_at);

CREATE UNIQUE INDEX exports_unfinished ON state.exports USING btree (user_id) WHERE (state = ANY (ARRAY['queued'::text, 'running'::text]));

ALTER TABLE ONLY state.export_pieces
    ADD CONSTRAINT export_pieces_export_id_fkey FOREIGN KEY (export_id) REFERENCES state.exports(export_id) ON DELETE CASCADE;

