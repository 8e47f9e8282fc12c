-- What no event and no read model may hold: hashes of passwords, sessions, hashes of invitations' tokens.
-- Nothing here is rebuilt from the log; what is lost here is lost.

CREATE SCHEMA secret;

CREATE TABLE secret.credentials (
    user_id       uuid        PRIMARY KEY,
    -- PHC string: the algorithm (argon2id), its parameters, the salt and the hash.
    password_hash text        NOT NULL,
    updated_at    timestamptz NOT NULL DEFAULT now()
);

-- Who is signed in. Redis holds the same under session:{id} and is asked first; this is what is left when Redis is lost.
CREATE TABLE secret.sessions (
    -- SHA-256 of the token, so that a copy of this table signs nobody in.
    token_hash    bytea       PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    -- The name of the session that may be shown.
    session_id    uuid        NOT NULL UNIQUE,
    user_id       uuid        NOT NULL,
    device_type   text        NOT NULL,
    ip_address    text,
    user_agent    text,
    created_at    timestamptz NOT NULL,
    last_activity timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    -- Signed out, and Redis has not confirmed yet that it forgot. It signs nobody in from then on.
    ended_at      timestamptz
);

CREATE INDEX sessions_user ON secret.sessions (user_id);
CREATE INDEX sessions_expires_at ON secret.sessions (expires_at);
CREATE INDEX sessions_ended ON secret.sessions (ended_at) WHERE ended_at IS NOT NULL;

-- Which invitation a token belongs to. The token itself is nowhere: it is derived from the invitation with the master key.
CREATE TABLE secret.invitations (
    -- SHA-256 of the token.
    token_hash    bytea       PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    invitation_id uuid        NOT NULL UNIQUE,
    workspace_id  uuid        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now()
);
