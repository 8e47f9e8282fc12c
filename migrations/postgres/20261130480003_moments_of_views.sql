-- Runs beside: 0.1.0

-- The moment that a view shows. NULL if the view is as of its position
-- (docs/decisions/0041-a-view-of-a-moment-is-what-had-happened.md).
ALTER TABLE public.replay_views ADD COLUMN moment TIMESTAMPTZ;
