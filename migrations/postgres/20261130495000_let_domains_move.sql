-- A domain may move from one workspace to another. The claims keep it unique. The read model applies the events of different workspaces
-- independently, so for a moment it may show the domain at both.
DROP INDEX read.idx_workspaces_domain;
