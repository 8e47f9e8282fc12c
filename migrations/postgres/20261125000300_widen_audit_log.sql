-- What the audit asks for: by which command, from where, in which session, under which correlation, and what caused what. All of it follows
-- from the log, so what is there already is filled in from it.

ALTER TABLE read.audit_log
    ADD COLUMN event_id UUID,
    ADD COLUMN happened_at TIMESTAMPTZ, -- the original time of what was imported, else when it was recorded
    ADD COLUMN command TEXT,
    ADD COLUMN correlation_id UUID,
    ADD COLUMN causation_id UUID,
    ADD COLUMN session_id UUID,
    ADD COLUMN address TEXT,
    ADD COLUMN channel_id UUID, -- of the event that began a message: the channel
    ADD COLUMN concerns_all BOOLEAN NOT NULL DEFAULT FALSE, -- of no workspace, and shown in the audit of each
    ADD COLUMN person_id UUID; -- of a session's events: whose it is. A session belongs to no workspace; the audit of a workspace shows its members'

UPDATE read.audit_log a
SET event_id = e.event_id,
    happened_at = COALESCE((e.metadata ->> 'occurred_at')::timestamptz, e.recorded_at),
    command = e.metadata ->> 'command',
    correlation_id = (e.metadata ->> 'correlation_id')::uuid,
    causation_id = (e.metadata ->> 'causation_id')::uuid,
    session_id = (e.metadata ->> 'session')::uuid,
    address = e.metadata ->> 'address',
    channel_id = CASE WHEN e.event_type = 'message.posted' THEN (e.payload -> 'message.posted' ->> 'channel_id')::uuid END
FROM events e
WHERE e.position = a.position;

ALTER TABLE read.audit_log
    ALTER COLUMN event_id SET NOT NULL,
    ALTER COLUMN happened_at SET NOT NULL,
    ALTER COLUMN command SET NOT NULL,
    ALTER COLUMN correlation_id SET NOT NULL;

CREATE INDEX idx_audit_log_event ON read.audit_log (event_id);
CREATE INDEX idx_audit_log_command ON read.audit_log (workspace_id, command, position);
CREATE INDEX idx_audit_log_correlation ON read.audit_log (correlation_id, position);
CREATE INDEX idx_audit_log_causation ON read.audit_log (causation_id, position) WHERE causation_id IS NOT NULL;
CREATE INDEX idx_audit_log_session ON read.audit_log (session_id, position) WHERE session_id IS NOT NULL;
CREATE INDEX idx_audit_log_address ON read.audit_log (workspace_id, address, position) WHERE address IS NOT NULL;
CREATE INDEX idx_audit_log_channel ON read.audit_log (channel_id, happened_at, position) WHERE channel_id IS NOT NULL;
CREATE INDEX idx_audit_log_person ON read.audit_log (person_id, position) WHERE person_id IS NOT NULL;
CREATE INDEX idx_audit_log_all ON read.audit_log (position) WHERE concerns_all;
CREATE INDEX idx_audit_log_sessions ON read.audit_log (position) WHERE person_id IS NOT NULL;

-- Up to when a deactivated member's sign-ins concern the workspace.
ALTER TABLE read.workspace_members ADD COLUMN deactivated_at TIMESTAMPTZ;

UPDATE read.workspace_members m
SET deactivated_at = (
    SELECT max(COALESCE((e.metadata ->> 'occurred_at')::timestamptz, e.recorded_at))
    FROM events e
    WHERE e.aggregate_type = 'workspace' AND e.aggregate_id = m.workspace_id::text AND e.event_type = 'workspace.member_deactivated'
      AND e.payload -> 'workspace.member_deactivated' ->> 'user_id' = m.user_id::text)
WHERE m.status = 'deactivated';
