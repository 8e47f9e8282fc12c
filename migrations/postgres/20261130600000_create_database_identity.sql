-- Which database this is, so that a restored copy is noticed (docs/decisions/0036-a-restored-database-knows-it.md). A dump
-- carries the row along, and the server finds that it names another database. Then what the stores beside it hold may be of
-- events that this log never had.
CREATE TABLE public.database_identity (
    only_row BOOLEAN CONSTRAINT database_identity_pkey PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    identity TEXT NOT NULL, -- the Postgres, the database and its table of events (stores/src/restored/identity.rs)
    copy_id UUID, -- of a restored copy: a part of its names in Redis and Elasticsearch
    release TEXT NOT NULL, -- the release that used it last
    restored_at TIMESTAMPTZ
);
