-- Devices from which a person has signed in: attempts from there are counted apart from those of strangers. Digests
-- only; they go with the password.

CREATE TABLE secret.known_devices (
    user_id      uuid        NOT NULL REFERENCES secret.credentials (user_id) ON DELETE CASCADE,
    -- Of the token that the device was given, or of the address (of IPv6 its /64) under a key of the server.
    device       bytea       NOT NULL,
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, device)
);
