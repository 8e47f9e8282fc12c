-- What the search projection keeps in Elasticsearch (projections/src/search/elasticsearch), as far as Postgres has to know it.
--
-- A model is one set of indices, which holds a document for each message and each member. One is live; another one may be under
-- construction beside it. Their names end in the model's number, so that what a wiped Elasticsearch has lost is noticed.

CREATE TABLE public.search_models (
    model_id BIGINT GENERATED ALWAYS AS IDENTITY CONSTRAINT search_models_pkey PRIMARY KEY,
    state TEXT NOT NULL DEFAULT 'building' CHECK (state IN ('building', 'live')),
    pools INTEGER NOT NULL CHECK (pools > 0), -- into how many shared indices small workspaces are spread
    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX search_models_state_key ON public.search_models (state);

-- Workspaces whose messages are not in a shared index. While one moves, it is written to both places, and read from the old one.
CREATE TABLE public.search_routes (
    model_id BIGINT NOT NULL REFERENCES public.search_models (model_id) ON DELETE CASCADE,
    workspace_id UUID NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('own', 'monthly')),
    previous TEXT NOT NULL DEFAULT 'shared' CHECK (previous IN ('shared', 'own')),
    state TEXT NOT NULL DEFAULT 'moving' CHECK (state IN ('moving', 'moved', 'settled')), -- moved: the old place is still to be emptied
    changed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT search_routes_pkey PRIMARY KEY (model_id, workspace_id)
);

-- Documents that Elasticsearch refuses for what they are. Gone when a later version of the document is taken.
CREATE TABLE public.search_rejections (
    model_id BIGINT NOT NULL REFERENCES public.search_models (model_id) ON DELETE CASCADE,
    family TEXT NOT NULL, -- messages, users
    document_id TEXT NOT NULL,
    position BIGINT NOT NULL, -- the version that was refused
    reason TEXT NOT NULL,
    rejected_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT search_rejections_pkey PRIMARY KEY (model_id, family, document_id)
);

-- Documents to be written anew although no event says so: what the relational projection had parked was let go.
CREATE TABLE public.search_refreshes (
    refresh_id BIGINT GENERATED ALWAYS AS IDENTITY CONSTRAINT search_refreshes_pkey PRIMARY KEY,
    park_key TEXT NOT NULL
);
