-- The read models of the relational projector (projections/src/relational): the seed's tables, built from the log alone.
--
-- Everything in schema `read` can be thrown away: `backscroll replay relational` builds it anew beside this one and switches.
-- So there are no foreign keys (the log's order stands in for them), and the rebuild copies whatever the catalog says of this
-- schema: tables, partitions, constraints and indexes. A change here needs no change there.
--
-- `position` is the last event that a row has seen: an event at or before it changes nothing.

CREATE SCHEMA read;

-- How far each projection is. Moved in the transaction that applies the events, by the holder of the newest epoch only.
CREATE TABLE public.projection_checkpoints (
    projection TEXT PRIMARY KEY,
    position BIGINT NOT NULL DEFAULT 0 CHECK (position >= 0),
    epoch BIGINT NOT NULL DEFAULT 0,
    generation BIGINT NOT NULL DEFAULT 0, -- a rebuild or an unparking was here: what the holder remembers is to be read again
    holder TEXT,
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- A key (a workspace, or the stream of what belongs to none) whose event at `first_position` could not be applied. Its later
-- events wait, up to `last_position`, so that they are not applied on top of a hole.
CREATE TABLE public.parked_keys (
    projection TEXT NOT NULL,
    park_key TEXT NOT NULL,
    first_position BIGINT NOT NULL,
    last_position BIGINT NOT NULL,
    events BIGINT NOT NULL,
    error TEXT NOT NULL,
    parked_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, park_key)
);

-- Without the seed's password_hash and mfa_secret: they are no events, and live in schema `secret`.
CREATE TABLE read.users (
    user_id UUID CONSTRAINT users_pkey PRIMARY KEY,
    email VARCHAR(255) NOT NULL,
    username VARCHAR(100) NOT NULL,
    display_name VARCHAR(200) NOT NULL,
    avatar_url TEXT,
    timezone VARCHAR(50) NOT NULL DEFAULT 'UTC',
    status VARCHAR(20) NOT NULL DEFAULT 'active', -- active, suspended, deleted
    title VARCHAR(200),
    phone VARCHAR(50),
    bio TEXT,
    pronouns VARCHAR(50),
    notification_settings JSONB NOT NULL DEFAULT '{}',
    theme_preferences JSONB NOT NULL DEFAULT '{}',
    language VARCHAR(10) NOT NULL DEFAULT 'en',
    mfa_enabled BOOLEAN NOT NULL DEFAULT FALSE,
    status_text VARCHAR(200), -- what one is doing just now; not in the seed
    status_emoji VARCHAR(100),
    status_expires_at TIMESTAMPTZ,
    is_bot BOOLEAN NOT NULL DEFAULT FALSE,
    is_operator BOOLEAN NOT NULL DEFAULT FALSE,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    last_login_at TIMESTAMPTZ,
    position BIGINT NOT NULL
);
CREATE UNIQUE INDEX idx_users_email ON read.users (email);
CREATE UNIQUE INDEX idx_users_username ON read.users (username);
CREATE INDEX idx_users_status ON read.users (status);
CREATE INDEX idx_users_created_at ON read.users (created_at);

CREATE TABLE read.workspaces (
    workspace_id UUID CONSTRAINT workspaces_pkey PRIMARY KEY,
    name VARCHAR(200) NOT NULL,
    domain VARCHAR(100),
    description TEXT,
    avatar_url TEXT,
    settings JSONB NOT NULL DEFAULT '{}',
    plan_type VARCHAR(50) NOT NULL DEFAULT 'free', -- free, pro, enterprise
    max_members INTEGER NOT NULL DEFAULT 10000,
    billing_email VARCHAR(255),
    subscription_status VARCHAR(50) NOT NULL DEFAULT 'active',
    sso_enabled BOOLEAN NOT NULL DEFAULT FALSE,
    sso_config JSONB,
    require_2fa BOOLEAN NOT NULL DEFAULT FALSE,
    general_channel_id UUID NOT NULL, -- not in the seed: where everyone is
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    position BIGINT NOT NULL
);
CREATE UNIQUE INDEX idx_workspaces_domain ON read.workspaces (domain);
CREATE INDEX idx_workspaces_created_at ON read.workspaces (created_at);

-- Without the seed's invitation_token: it lives hashed in schema `secret`.
CREATE TABLE read.workspace_members (
    member_id UUID CONSTRAINT workspace_members_pkey PRIMARY KEY,
    workspace_id UUID NOT NULL,
    user_id UUID NOT NULL,
    role VARCHAR(50) NOT NULL DEFAULT 'member', -- owner, admin, member, guest
    title VARCHAR(200),
    department VARCHAR(100),
    status VARCHAR(20) NOT NULL DEFAULT 'active', -- active, deactivated
    invited_by UUID,
    permissions JSONB NOT NULL DEFAULT '{}',
    last_seen_at TIMESTAMPTZ,
    timezone VARCHAR(50),
    joined_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    position BIGINT NOT NULL,
    CONSTRAINT workspace_members_workspace_id_user_id_key UNIQUE (workspace_id, user_id)
);
CREATE INDEX idx_workspace_members_workspace ON read.workspace_members (workspace_id);
CREATE INDEX idx_workspace_members_user ON read.workspace_members (user_id);
CREATE INDEX idx_workspace_members_role ON read.workspace_members (role);
CREATE INDEX idx_workspace_members_status ON read.workspace_members (status);
CREATE INDEX idx_active_workspace_members ON read.workspace_members (workspace_id, user_id) WHERE status = 'active';

-- The seed's members of status `invited`: whoever is invited by mail need not be a user yet.
CREATE TABLE read.workspace_invitations (
    invitation_id UUID CONSTRAINT workspace_invitations_pkey PRIMARY KEY,
    workspace_id UUID NOT NULL,
    email VARCHAR(255) NOT NULL,
    role VARCHAR(50) NOT NULL,
    status VARCHAR(20) NOT NULL DEFAULT 'pending', -- pending, accepted, revoked
    invited_by UUID NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    position BIGINT NOT NULL
);
CREATE INDEX idx_workspace_invitations_workspace ON read.workspace_invitations (workspace_id) WHERE status = 'pending';

-- Direct and group conversations have no name. Two names may change hands within one batch, hence the deferral.
CREATE TABLE read.channels (
    channel_id UUID CONSTRAINT channels_pkey PRIMARY KEY,
    workspace_id UUID NOT NULL,
    name VARCHAR(100),
    display_name VARCHAR(200),
    description TEXT,
    channel_type VARCHAR(20) NOT NULL DEFAULT 'public', -- public, private, dm, group_dm
    is_archived BOOLEAN NOT NULL DEFAULT FALSE,
    is_general BOOLEAN NOT NULL DEFAULT FALSE,
    topic VARCHAR(500),
    purpose TEXT,
    retention_policy JSONB,
    allow_threads BOOLEAN NOT NULL DEFAULT TRUE,
    allow_file_upload BOOLEAN NOT NULL DEFAULT TRUE,
    allow_external_sharing BOOLEAN NOT NULL DEFAULT FALSE,
    created_by UUID NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    archived_at TIMESTAMPTZ,
    archived_by UUID,
    position BIGINT NOT NULL,
    CONSTRAINT channels_workspace_id_name_key UNIQUE (workspace_id, name) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX idx_channels_workspace ON read.channels (workspace_id);
CREATE INDEX idx_channels_type ON read.channels (channel_type);
CREATE INDEX idx_channels_archived ON read.channels (is_archived);
CREATE INDEX idx_channels_created_at ON read.channels (created_at);

-- Leaving and coming back keeps one row.
CREATE TABLE read.channel_members (
    membership_id UUID CONSTRAINT channel_members_pkey PRIMARY KEY,
    channel_id UUID NOT NULL,
    workspace_id UUID NOT NULL, -- not in the seed: a person's channels are asked for by workspace
    user_id UUID NOT NULL,
    role VARCHAR(20) NOT NULL DEFAULT 'member', -- admin, member
    notification_level VARCHAR(20) NOT NULL DEFAULT 'all', -- all, mentions, none
    joined_at TIMESTAMPTZ NOT NULL,
    left_at TIMESTAMPTZ,
    invited_by UUID,
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    position BIGINT NOT NULL,
    CONSTRAINT channel_members_channel_id_user_id_key UNIQUE (channel_id, user_id)
);
CREATE INDEX idx_channel_members_channel ON read.channel_members (channel_id);
CREATE INDEX idx_channel_members_user ON read.channel_members (user_id);
CREATE INDEX idx_channel_members_active ON read.channel_members (is_active);

-- A partition for each month, made by the projector when the month's first message comes (messages_2024_01). There is no default
-- partition: it would have to be searched, and locked, for each new one. The identifier of a message holds its millisecond, so a
-- lookup by identifier finds the partition.
CREATE TABLE read.messages (
    message_id UUID NOT NULL,
    channel_id UUID NOT NULL,
    workspace_id UUID NOT NULL, -- the seed's index names it, its table lacks it
    user_id UUID NOT NULL,
    content TEXT NOT NULL,
    message_type VARCHAR(20) NOT NULL DEFAULT 'text', -- text, file, system, bot
    formatted_content JSONB,
    thread_id UUID,
    reply_count INTEGER NOT NULL DEFAULT 0,
    is_pinned BOOLEAN NOT NULL DEFAULT FALSE,
    pinned_at TIMESTAMPTZ,
    pinned_by UUID,
    is_deleted BOOLEAN NOT NULL DEFAULT FALSE,
    deleted_at TIMESTAMPTZ,
    deleted_by UUID,
    reactions JSONB NOT NULL DEFAULT '{}', -- {"👍": ["user1", "user2"]}, in order of reacting
    edited_at TIMESTAMPTZ,
    edited_by UUID,
    edit_history JSONB NOT NULL DEFAULT '[]', -- [{"content", "edited_at", "edited_by"}]: earlier texts, and who replaced them when
    client_msg_id VARCHAR(100),
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    position BIGINT NOT NULL,
    CONSTRAINT messages_pkey PRIMARY KEY (message_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX idx_messages_channel_created ON read.messages (channel_id, created_at DESC);
CREATE INDEX idx_messages_user ON read.messages (user_id);
CREATE INDEX idx_messages_thread ON read.messages (thread_id);
CREATE INDEX idx_messages_deleted ON read.messages (is_deleted);
CREATE INDEX idx_messages_client_msg ON read.messages (client_msg_id);
CREATE INDEX idx_messages_channel_thread_created ON read.messages (channel_id, thread_id, created_at DESC);
CREATE INDEX idx_messages_user_workspace_created ON read.messages (user_id, workspace_id, created_at DESC);
-- The seed has this one twice: its idx_messages_search_vector is the same index under another name.
CREATE INDEX idx_messages_content_gin ON read.messages USING gin (to_tsvector('english', content));
-- Not in the seed: a channel's few pinned messages, of whatever month.
CREATE INDEX idx_messages_pinned ON read.messages (channel_id, pinned_at) WHERE is_pinned;

-- Who is mentioned in which standing message: follows from the message's formatted_content, and is written with it.
CREATE TABLE read.mentions (
    user_id UUID NOT NULL,
    workspace_id UUID NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    message_id UUID NOT NULL,
    channel_id UUID NOT NULL,
    CONSTRAINT mentions_pkey PRIMARY KEY (message_id, user_id)
);
CREATE INDEX idx_mentions_user_workspace_created ON read.mentions (user_id, workspace_id, created_at DESC, message_id DESC);

-- An index of the log for the audit. `events` itself carries none of these: they would slow every append.
CREATE TABLE read.audit_log (
    position BIGINT CONSTRAINT audit_log_pkey PRIMARY KEY,
    workspace_id UUID,
    recorded_at TIMESTAMPTZ NOT NULL,
    actor_id UUID NOT NULL,
    aggregate_type TEXT NOT NULL,
    aggregate_id UUID NOT NULL,
    event_type TEXT NOT NULL
);
CREATE INDEX idx_audit_log_actor ON read.audit_log (workspace_id, actor_id, position);
CREATE INDEX idx_audit_log_aggregate ON read.audit_log (workspace_id, aggregate_id, position);
CREATE INDEX idx_audit_log_event_type ON read.audit_log (workspace_id, event_type, position);
CREATE INDEX idx_audit_log_workspace ON read.audit_log (workspace_id, position);
