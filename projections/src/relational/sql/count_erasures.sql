SELECT count(*) FILTER (WHERE erasure_due_at > $1) AS "waiting!", count(*) FILTER (WHERE erasure_due_at <= $1) AS "overdue!"
FROM users
WHERE erasure_due_at IS NOT NULL
