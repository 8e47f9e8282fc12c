-- The proof that the log was not tampered with (projections/src/proof): its Merkle tree, and the heads of it that were signed.
-- Its consumer alone writes here; a row of `tiles` and the head that counts on it are written in one transaction.

CREATE SCHEMA proof;

-- 256 hashes each, or what there is of them at the right edge of the tree: https://c2sp.org/tlog-tiles
CREATE TABLE proof.tiles (
    level  smallint NOT NULL CHECK (level BETWEEN 0 AND 7),
    index  bigint   NOT NULL CHECK (index >= 0),
    hashes bytea    NOT NULL CHECK (octet_length(hashes) BETWEEN 32 AND 8192 AND octet_length(hashes) % 32 = 0),
    CONSTRAINT tiles_pkey PRIMARY KEY (level, index)
);
-- Hashes do not get shorter by compression.
ALTER TABLE proof.tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;

-- Every head that was signed: https://c2sp.org/tlog-checkpoint
CREATE TABLE proof.checkpoints (
    size      bigint      NOT NULL CHECK (size >= 1),
    root      bytea       NOT NULL CHECK (octet_length(root) = 32),
    note      text        NOT NULL,
    signed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT checkpoints_pkey PRIMARY KEY (size)
);

-- The public keys, oldest first: https://c2sp.org/signed-note. One signs; a new one is signed with beside it once, and replaces it.
CREATE TABLE proof.keys (
    key_id     bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT keys_pkey PRIMARY KEY,
    vkey       text        NOT NULL CONSTRAINT keys_vkey UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- The sizes of the first and the last head that it signed.
    first_size bigint,
    last_size  bigint,
    retired_at timestamptz
);

-- Up to which head each place outside has been told.
CREATE TABLE proof.deliveries (
    destination text        NOT NULL CONSTRAINT deliveries_pkey PRIMARY KEY,
    size        bigint      NOT NULL,
    sent_at     timestamptz NOT NULL DEFAULT now()
);

-- The private key, where it is not given in a file: AES-256-GCM under a key that is derived from the master key, a nonce of 12 bytes before it,
-- bound to the public key. It is deleted when it is retired.
CREATE TABLE secret.proof_keys (
    vkey   text  NOT NULL CONSTRAINT proof_keys_pkey PRIMARY KEY,
    sealed bytea NOT NULL
);
