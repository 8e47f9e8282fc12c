-- The schema `proof` as the migrations make it (migrations/postgres/20261125000200_create_proof.sql), for a database that was
-- restored without it. A test compares the two.
CREATE SCHEMA IF NOT EXISTS proof;

CREATE TABLE IF NOT EXISTS proof.tiles (
    level  smallint NOT NULL CHECK (level BETWEEN 0 AND 7),
    index  bigint   NOT NULL CHECK (index >= 0),
    hashes bytea    NOT NULL CHECK (octet_length(hashes) BETWEEN 32 AND 8192 AND octet_length(hashes) % 32 = 0),
    CONSTRAINT tiles_pkey PRIMARY KEY (level, index)
);
ALTER TABLE proof.tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;

CREATE TABLE IF NOT EXISTS proof.checkpoints (
    size      bigint      NOT NULL CHECK (size >= 1),
    root      bytea       NOT NULL CHECK (octet_length(root) = 32),
    note      text        NOT NULL,
    signed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT checkpoints_pkey PRIMARY KEY (size)
);

CREATE TABLE IF NOT EXISTS proof.keys (
    key_id     bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT keys_pkey PRIMARY KEY,
    vkey       text        NOT NULL CONSTRAINT keys_vkey UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    first_size bigint,
    last_size  bigint,
    retired_at timestamptz
);

CREATE TABLE IF NOT EXISTS proof.deliveries (
    destination text        NOT NULL CONSTRAINT deliveries_pkey PRIMARY KEY,
    size        bigint      NOT NULL,
    sent_at     timestamptz NOT NULL DEFAULT now()
);
