CREATE SCHEMA proof;

CREATE TABLE proof.checkpoints (
    size bigint NOT NULL,
    root bytea NOT NULL,
    note text NOT NULL,
    signed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT checkpoints_root_check CHECK ((octet_length(root) = 32)),
    CONSTRAINT checkpoints_size_check CHECK ((size >= 1))
);

CREATE TABLE proof.deliveries (
    destination text NOT NULL,
    size bigint NOT NULL,
    sent_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE proof.keys (
    key_id bigint NOT NULL,
    vkey text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    first_size bigint,
    last_size bigint,
    retired_at timestamp with time zone
);

ALTER TABLE proof.keys ALTER COLUMN key_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME proof.keys_key_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE proof.tiles (
    level smallint NOT NULL,
    index bigint NOT NULL,
    hashes bytea NOT NULL,
    CONSTRAINT tiles_hashes_check CHECK ((((octet_length(hashes) >= 32) AND (octet_length(hashes) <= 8192)) AND ((octet_length(hashes) % 32) = 0))),
    CONSTRAINT tiles_index_check CHECK ((index >= 0)),
    CONSTRAINT tiles_level_check CHECK (((level >= 0) AND (level <= 7)))
);
ALTER TABLE ONLY proof.tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;

ALTER TABLE ONLY proof.checkpoints
    ADD CONSTRAINT checkpoints_pkey PRIMARY KEY (size);

ALTER TABLE ONLY proof.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (destination);

ALTER TABLE ONLY proof.keys
    ADD CONSTRAINT keys_pkey PRIMARY KEY (key_id);

ALTER TABLE ONLY proof.keys
    ADD CONSTRAINT keys_vkey UNIQUE (vkey);

ALTER TABLE ONLY proof.tiles
    ADD CONSTRAINT tiles_pkey PRIMARY KEY (level, index);

