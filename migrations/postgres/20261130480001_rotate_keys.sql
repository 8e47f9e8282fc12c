-- Changes of keys: docs/decisions/0037-a-new-signing-key-is-a-decision.md.

-- Since when the log records every signing key, the first one too. If a log has older events and no signing key, its key
-- was lost or not restored: the server makes no new one.
CREATE TABLE public.signing_keys_recorded (
    only_row BOOLEAN CONSTRAINT signing_keys_recorded_pkey PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    since TIMESTAMPTZ NOT NULL DEFAULT now()
);

INSERT INTO public.signing_keys_recorded DEFAULT VALUES;

-- An invitation has one token for each master key under which it was asked for, and each of them is valid.
ALTER TABLE secret.invitations DROP CONSTRAINT invitations_invitation_id_key;
