-- A binary search: recorded_at increases with the position, and there is no gap between positions.
WITH RECURSIVE search (low, high) AS (
    SELECT 0::bigint, COALESCE(max(position), 0) + 1 FROM events
    UNION ALL
    SELECT CASE WHEN middle.recorded_at < $1 THEN middle.position ELSE search.low END,
           CASE WHEN middle.recorded_at < $1 THEN search.high ELSE middle.position END
    FROM search
    JOIN events middle ON middle.position = (search.low + search.high) / 2
    WHERE search.high - search.low > 1
)
SELECT min(high) AS "first!" FROM search
