-- Full text search (projections/src/search). The seed's index on an expression finds messages, but ranking computes the expression again for
-- every hit: 116 ms in the median over 209,865 messages. So the vector is stored. It is generated: the projector and the rebuild write
-- `content`, as before, and cannot forget it; and what else a search asks of a message (has:link, is:pinned) is in it too, as words that no
-- text can have, so that one index answers.

-- A word is what projections/src/search/words.rs says: runs of letters and digits, and each character of Han, kana and hangul.
CREATE TEXT SEARCH DICTIONARY public.search_stem (TEMPLATE = pg_catalog.snowball, LANGUAGE = english); -- without stop words: "the who" is found
CREATE TEXT SEARCH CONFIGURATION public.search_stems (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION public.search_stems ALTER MAPPING REPLACE pg_catalog.english_stem WITH public.search_stem;

-- Names in markup are identifiers, and no words. (Not STRICT, as nothing here: Postgres would call such functions instead of planning them in.)
CREATE FUNCTION public.search_text(content TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN strpos(content, '<@') > 0 OR strpos(content, '<#') > 0 THEN regexp_replace(content, '<[@#][0-9a-f-]{36}', ' ', 'g')
           ELSE content END
$$;

-- A text's words, parted by spaces. Nearly all texts are ASCII alone, for which that is quickly said.
CREATE FUNCTION public.search_words(content TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN octet_length(content) = char_length(content) THEN
        regexp_replace(public.search_text(content), '[!-/:-@[-`{-~]', ' ', 'g')
    ELSE
        regexp_replace(
            regexp_replace(public.search_text(content), '[\u1100-\u11FF\u2E80-\u2FDF\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303C\u3041-\u309A\u309D-\u309F\u30A1-\u30FA\u30FC-\u31BF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uA960-\uA97F\uAC00-\uD7FF\uF900-\uFAFF\uFF66-\uFFDC\U00020000-\U0003FFFF]', ' \& ', 'g'),
            '[!-/:-@[-`{-~\u0080-\u00A9\u00AB-\u00B4\u00B6-\u00B9\u00BB-\u00BF\u00D7\u00F7\u2000-\u2BFF\u2E00-\u2E7F\u2FE0-\u3004\u3008-\u3020\u302A-\u3030\u3036-\u3037\u303D-\u3040\u309B-\u309C\u30A0\u30FB\u31C0-\u31EF\u4DC0-\u4DFF\uE000-\uF8FF\uFE00-\uFE6F\uFEFF-\uFF0F\uFF1A-\uFF20\uFF3B-\uFF40\uFF5B-\uFF65\uFFDD-\uFFFF\U0001D000-\U0001FFFF\U000E0000-\U0010FFFF]', ' ', 'g')
    END
$$;

-- What a message is found by. Words as they are have weight B, for phrases and beginnings; their stems have A. What it has or is (`Mark`,
-- projections/src/search/mod.rs), and whom it mentions, are words that begin as none of a text can. What is deleted, and what the system
-- says, is found by nothing. In PL/pgSQL, so that a text is parted once.
CREATE FUNCTION public.search_vector(content TEXT, message_type TEXT, is_deleted BOOLEAN, formatted_content JSONB, reactions JSONB,
                                     is_pinned BOOLEAN, is_thread BOOLEAN)
RETURNS TSVECTOR LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    words CONSTANT TEXT := public.search_words(content);
    marks TEXT[] := '{}';
BEGIN
    IF is_deleted OR message_type = 'system' THEN
        RETURN '';
    END IF;
    IF formatted_content IS NOT NULL THEN
        IF formatted_content ? 'links' THEN marks := marks || '#link'::text; END IF;
        IF formatted_content ? 'files' THEN marks := marks || '#file'::text; END IF;
        IF formatted_content ? 'mentions' THEN
            marks := marks || ARRAY(SELECT '@' || m FROM jsonb_array_elements_text(formatted_content -> 'mentions') m);
        END IF;
    END IF;
    IF message_type = 'file' THEN marks := marks || '#file'::text; END IF;
    IF reactions <> '{}' THEN
        marks := marks || '#reaction'::text || ARRAY(SELECT ':' || e FROM jsonb_object_keys(reactions) e);
    END IF;
    IF is_pinned THEN marks := marks || '#pinned'::text; END IF;
    IF is_thread THEN marks := marks || '#thread'::text; END IF;
    RETURN array_to_tsvector(marks)
        || setweight(to_tsvector('pg_catalog.simple', words), 'B')
        || setweight(to_tsvector('public.search_stems', words), 'A');
END
$$;

-- Every table of months is written anew: about a minute for a million messages.
ALTER TABLE read.messages ADD COLUMN search_vector TSVECTOR NOT NULL GENERATED ALWAYS AS (
    public.search_vector(content, message_type, is_deleted, formatted_content, reactions, is_pinned, thread_id IS NOT NULL OR reply_count > 0)
) STORED;

-- The seed has one index under two names: it goes, and the other name means the one that is used. What is inserted waits in a list that every
-- search reads through: a short one, since the default of 4 MB for each month would take longer than the search.
DROP INDEX read.idx_messages_content_gin;
CREATE INDEX idx_messages_search_vector ON read.messages USING gin (search_vector) WITH (gin_pending_list_limit = 256);

-- from:@ann, whatever the case.
CREATE INDEX idx_users_username_folded ON read.users (lower(username));
