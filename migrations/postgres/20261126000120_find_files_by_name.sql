-- The words of the names of a message's files are words of its vector, which begin as none of a text can: `/plan`. The limit in bytes is
-- WORD_BYTES_MAX of projections/src/search/files.rs. A message without any mark is not joined with an empty vector.

CREATE OR REPLACE FUNCTION public.search_vector(content TEXT, message_type TEXT, is_deleted BOOLEAN, formatted_content JSONB, reactions JSONB,
                                                is_pinned BOOLEAN, is_thread BOOLEAN)
RETURNS TSVECTOR LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    words TEXT;
    found TSVECTOR;
    marks TEXT[] := '{}';
BEGIN
    IF is_deleted OR message_type = 'system' THEN
        RETURN '';
    END IF;
    words := public.search_words(content);
    found := setweight(to_tsvector('pg_catalog.simple', words), 'B') || setweight(to_tsvector('public.search_stems', words), 'A');
    IF formatted_content IS NOT NULL THEN
        IF formatted_content ? 'links' THEN marks := marks || '#link'::text; END IF;
        IF formatted_content ? 'files' THEN
            marks := marks || '#file'::text || ARRAY(
                SELECT '/' || word
                FROM jsonb_array_elements(formatted_content -> 'files') file,
                     regexp_split_to_table(lower(public.search_words(file ->> 'name')), '\s+') word
                WHERE octet_length(word) BETWEEN 1 AND 255);
        END IF;
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
    IF marks = '{}' THEN
        RETURN found;
    END IF;
    RETURN array_to_tsvector(marks) || found;
END
$$;

-- What is generated is generated anew where what it is made of is written.
UPDATE read.messages SET formatted_content = formatted_content WHERE formatted_content ? 'files' AND NOT is_deleted;
