-- Which releases may run on this database, and which run (docs/decisions/0019-releases-side-by-side.md).

-- The smallest release, and the event format that every process must read. Neither is ever lowered. A migration that an
-- earlier release could not live with raises `min_release`; the first append of an event of a newer format raises
-- `min_format`.
CREATE TABLE public.release_floor (
    only_row BOOLEAN CONSTRAINT release_floor_pkey PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    min_release TEXT NOT NULL,
    min_format INTEGER NOT NULL,
    format_written_by TEXT NOT NULL -- the release that raised the format, to name it to those that do not read it
);

INSERT INTO public.release_floor (min_release, min_format, format_written_by) VALUES ('0.1.0', 1, '0.1.0');

-- The processes that run: each says every few seconds that it does. One that has not for a while counts as gone, and
-- knows it (commands/src/event_store/node.rs).
CREATE TABLE public.nodes (
    node_id UUID CONSTRAINT nodes_pkey PRIMARY KEY,
    holder TEXT NOT NULL, -- the host and the process
    release TEXT NOT NULL,
    event_format INTEGER NOT NULL, -- the newest that it reads
    started_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    seen_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
