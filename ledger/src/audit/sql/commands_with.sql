-- Goes from each name to the next one in the index, so it does not read every row.
WITH RECURSIVE names (command) AS (
    (SELECT command FROM audit_log WHERE workspace_id = $1 ORDER BY command LIMIT 1)
    UNION ALL
    SELECT (SELECT next.command
            FROM audit_log next
            WHERE next.workspace_id = $1 AND next.command > names.command
            ORDER BY next.command
            LIMIT 1)
    FROM names
    WHERE names.command IS NOT NULL
)
SELECT command AS "command!" FROM names WHERE strpos(lower(command), $2::text) > 0
