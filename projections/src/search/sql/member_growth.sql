-- The days on which a user joined, with the number of members at the end of the day. Members who have left since are included.
SELECT day AS "day!", joined AS "joined!", members AS "members!"
FROM (SELECT date_trunc('day', joined_at, 'UTC') AS day, count(*) AS joined,
             (sum(count(*)) OVER (ORDER BY date_trunc('day', joined_at, 'UTC')))::bigint AS members
      FROM workspace_members
      WHERE workspace_id = $1
      GROUP BY 1) days
WHERE ($2::timestamptz IS NULL OR day >= $2) AND ($3::timestamptz IS NULL OR day < $3)
ORDER BY day
LIMIT $4
