-- Identifiers of events and correlations are UUIDs of version 7: in the order of the log, or nearly. A summary for each range of pages finds
-- one as well as a tree does, and costs nothing when a row is written.

DROP INDEX read.idx_audit_log_event;
DROP INDEX read.idx_audit_log_correlation;

CREATE INDEX idx_audit_log_ids ON read.audit_log USING brin (event_id uuid_minmax_multi_ops, correlation_id uuid_minmax_multi_ops)
    WITH (pages_per_range = 32, autosummarize = on);
