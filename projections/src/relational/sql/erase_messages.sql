-- A deleted message has no text. The reactions, replies and pins of other users stay.
UPDATE messages
SET content = '', formatted_content = '{"erased": true}', edit_history = '[]', long_words = NULL,
    search_vector = array_to_tsvector(ARRAY(
        SELECT lexeme FROM unnest(tsvector_to_array(search_vector)) lexeme
        WHERE starts_with(lexeme, ':') OR lexeme IN ('#reaction', '#pinned', '#thread') OR (lexeme = '#file' AND message_type = 'file')))
WHERE user_id = ANY ($1)
  AND NOT is_deleted
  AND (content <> '' OR formatted_content IS DISTINCT FROM '{"erased": true}' OR edit_history <> '[]')
