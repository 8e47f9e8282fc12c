-- For each of the others, a few channels that they are in together with the user.
SELECT DISTINCT shared.channel_id AS "channel_id!"
FROM unnest($2::uuid[]) AS other (user_id)
CROSS JOIN LATERAL (SELECT m.channel_id
                    FROM channel_members m
                    JOIN channel_members o ON o.channel_id = m.channel_id AND o.user_id = other.user_id AND o.is_active
                    WHERE m.user_id = $1 AND m.is_active
                    ORDER BY m.joined_at DESC, m.channel_id
                    LIMIT 10) AS shared
