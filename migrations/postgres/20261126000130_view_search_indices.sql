-- A view of the search projection has indices of its own in Elasticsearch, made from the rows of its schema.

ALTER TABLE public.replay_views ADD COLUMN indices TEXT[] NOT NULL DEFAULT '{}';
