INSERT INTO audit_log (position, workspace_id, recorded_at, actor_id, aggregate_type, aggregate_id, event_type)
SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::timestamptz[], $4::uuid[], $5::text[], $6::uuid[], $7::text[])
ON CONFLICT (position) DO NOTHING
