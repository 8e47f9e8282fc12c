-- Names as words in lower case, parted by spaces, as words.rs has them: a part begins where a space ends.
SELECT p.user_id AS "user_id!", p.names AS "names!"
FROM (SELECT u.user_id, lower(regexp_replace(search_words(u.username || ' ' || u.display_name), ' +', ' ', 'g')) AS names
      FROM workspace_members m
      JOIN users u ON u.user_id = m.user_id
      WHERE m.workspace_id = $1 AND m.status = 'active' AND u.user_id > $3
        AND ($5::uuid[] IS NULL
             OR u.user_id IN (SELECT c.user_id FROM channel_members c WHERE c.channel_id = ANY ($5) AND c.is_active))) p
WHERE starts_with(p.names, $2) OR strpos(p.names, ' ' || $2) > 0
ORDER BY p.user_id
LIMIT $4
