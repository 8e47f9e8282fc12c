-- The latest answer of each thread, and the people who answered: $1 the messages that began the threads, $2 their channels, $3 their
-- moments, $4 how many answers are looked at, $5 how many people are shown. No answer is older than the message, so earlier months are
-- not searched.
SELECT root.message_id AS "message_id!", latest.created_at AS "last_reply_at!", people.participants AS "participants!: Json<Vec<Person>>",
       people.participant_count AS "participant_count!"
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS root (message_id, channel_id, created_at)
CROSS JOIN LATERAL (
    SELECT created_at
    FROM messages
    WHERE channel_id = root.channel_id AND thread_id = root.message_id AND NOT is_deleted AND created_at >= root.created_at
    ORDER BY created_at DESC
    LIMIT 1) latest
CROSS JOIN LATERAL (
    SELECT max(first.number) AS participant_count,
           jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
               'user_id', first.user_id, 'username', CASE WHEN u.status <> 'erased' THEN u.username END, 'display_name',
               CASE WHEN u.status <> 'erased' THEN u.display_name END, 'avatar_url', u.avatar_url,
               'is_erased', CASE WHEN u.status = 'erased' THEN TRUE END)) ORDER BY first.answered_at, first.user_id) AS participants
    FROM (SELECT user_id, min(created_at) AS answered_at, count(*) OVER () AS number
          FROM (SELECT user_id, created_at
                FROM messages
                WHERE channel_id = root.channel_id AND thread_id = root.message_id AND NOT is_deleted AND created_at >= root.created_at
                ORDER BY created_at
                LIMIT $4) answers
          GROUP BY user_id
          ORDER BY answered_at, user_id
          LIMIT $5) first
    LEFT JOIN users u ON u.user_id = first.user_id) people
