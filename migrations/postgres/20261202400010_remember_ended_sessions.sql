-- Runs beside: 0.1.0

-- The hashes of tokens whose sessions ended within the last day. A client that did not get the answer to its sign-out repeats it, and gets the
-- same answer.
CREATE TABLE secret.ended_tokens (
    token_hash BYTEA CONSTRAINT ended_tokens_pkey PRIMARY KEY,
    ended_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX idx_ended_tokens_ended_at ON secret.ended_tokens (ended_at);
