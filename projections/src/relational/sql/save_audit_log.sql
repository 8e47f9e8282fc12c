INSERT INTO audit_log (position, event_id, workspace_id, recorded_at, happened_at, actor_id, aggregate_type, aggregate_id, event_type,
                       command, correlation_id, causation_id, session_id, address, channel_id, person_id,
                       concerns_all)
SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::timestamptz[], $6::uuid[], $7::text[], $8::uuid[],
                     $9::text[], $10::text[], $11::uuid[], $12::uuid[], $13::uuid[], $14::text[], $15::uuid[], $16::uuid[],
                     $17::boolean[])
ON CONFLICT (position) DO NOTHING
