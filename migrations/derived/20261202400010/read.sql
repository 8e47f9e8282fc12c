CREATE SCHEMA read;

CREATE TABLE read.audit_log (
    "position" bigint NOT NULL,
    workspace_id uuid,
    recorded_at timestamp with time zone NOT NULL,
    actor_id uuid NOT NULL,
    aggregate_type text NOT NULL,
    aggregate_id uuid NOT NULL,
    event_type text NOT NULL,
    event_id uuid NOT NULL,
    happened_at timestamp with time zone NOT NULL,
    command text NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id uuid,
    session_id uuid,
    address text,
    channel_id uuid,
    concerns_all boolean DEFAULT false NOT NULL,
    person_id uuid
);

CREATE TABLE read.channel_members (
    membership_id uuid NOT NULL,
    channel_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role character varying(20) DEFAULT 'member'::character varying NOT NULL,
    notification_level character varying(20) DEFAULT 'all'::character varying NOT NULL,
    joined_at timestamp with time zone NOT NULL,
    left_at timestamp with time zone,
    invited_by uuid,
    is_active boolean DEFAULT true NOT NULL,
    "position" bigint NOT NULL,
    history_until timestamp with time zone
);

CREATE TABLE read.channels (
    channel_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    name character varying(100),
    display_name character varying(200),
    description text,
    channel_type character varying(20) DEFAULT 'public'::character varying NOT NULL,
    is_archived boolean DEFAULT false NOT NULL,
    is_general boolean DEFAULT false NOT NULL,
    topic character varying(500),
    purpose text,
    retention_policy jsonb,
    allow_threads boolean DEFAULT true NOT NULL,
    allow_file_upload boolean DEFAULT true NOT NULL,
    allow_external_sharing boolean DEFAULT false NOT NULL,
    created_by uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    archived_at timestamp with time zone,
    archived_by uuid,
    "position" bigint NOT NULL
);

CREATE TABLE read.mentions (
    user_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    message_id uuid NOT NULL,
    channel_id uuid NOT NULL
);

CREATE TABLE read.message_edits (
    message_id uuid NOT NULL,
    "position" bigint NOT NULL,
    workspace_id uuid NOT NULL,
    user_id uuid NOT NULL,
    content text NOT NULL,
    edited_at timestamp with time zone NOT NULL,
    edited_by uuid NOT NULL
);

CREATE TABLE read.message_reactions (
    message_id uuid NOT NULL,
    emoji text NOT NULL,
    user_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    "position" bigint NOT NULL,
    reacted_at timestamp with time zone NOT NULL
);

CREATE TABLE read.messages (
    message_id uuid NOT NULL,
    channel_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    user_id uuid NOT NULL,
    content text NOT NULL,
    message_type character varying(20) DEFAULT 'text'::character varying NOT NULL,
    formatted_content jsonb,
    thread_id uuid,
    reply_count integer DEFAULT 0 NOT NULL,
    is_pinned boolean DEFAULT false NOT NULL,
    pinned_at timestamp with time zone,
    pinned_by uuid,
    is_deleted boolean DEFAULT false NOT NULL,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    edited_at timestamp with time zone,
    edited_by uuid,
    edit_history jsonb DEFAULT '[]'::jsonb NOT NULL,
    client_msg_id character varying(100),
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    "position" bigint NOT NULL,
    search_vector tsvector,
    purged_at timestamp with time zone,
    long_words text,
    reactions jsonb DEFAULT '[]'::jsonb CONSTRAINT messages_ordered_reactions_not_null NOT NULL
)
PARTITION BY RANGE (created_at);

CREATE TABLE read.messages_archive (
    message_id uuid NOT NULL,
    channel_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    user_id uuid NOT NULL,
    content text NOT NULL,
    message_type character varying(20) DEFAULT 'text'::character varying NOT NULL,
    formatted_content jsonb,
    thread_id uuid,
    reply_count integer DEFAULT 0 NOT NULL,
    is_pinned boolean DEFAULT false NOT NULL,
    pinned_at timestamp with time zone,
    pinned_by uuid,
    is_deleted boolean DEFAULT false NOT NULL,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    edited_at timestamp with time zone,
    edited_by uuid,
    edit_history jsonb DEFAULT '[]'::jsonb NOT NULL,
    client_msg_id character varying(100),
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    "position" bigint NOT NULL,
    purged_at timestamp with time zone,
    reactions jsonb DEFAULT '[]'::jsonb CONSTRAINT messages_archive_ordered_reactions_not_null NOT NULL
)
PARTITION BY RANGE (created_at);

CREATE TABLE read.users (
    user_id uuid NOT NULL,
    email character varying(255) NOT NULL,
    username character varying(100) NOT NULL,
    display_name character varying(200) NOT NULL,
    avatar_url text,
    timezone character varying(50) DEFAULT 'UTC'::character varying NOT NULL,
    status character varying(20) DEFAULT 'active'::character varying NOT NULL,
    title character varying(200),
    phone character varying(50),
    bio text,
    pronouns character varying(50),
    notification_settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    theme_preferences jsonb DEFAULT '{}'::jsonb NOT NULL,
    language character varying(10) DEFAULT 'en'::character varying NOT NULL,
    mfa_enabled boolean DEFAULT false NOT NULL,
    status_text character varying(200),
    status_emoji character varying(100),
    status_expires_at timestamp with time zone,
    is_bot boolean DEFAULT false NOT NULL,
    is_operator boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    last_login_at timestamp with time zone,
    "position" bigint NOT NULL,
    erasure_due_at timestamp with time zone
);

CREATE TABLE read.workspace_invitations (
    invitation_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    email character varying(255) NOT NULL,
    role character varying(50) NOT NULL,
    status character varying(20) DEFAULT 'pending'::character varying NOT NULL,
    invited_by uuid NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    "position" bigint NOT NULL
);

CREATE TABLE read.workspace_members (
    member_id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role character varying(50) DEFAULT 'member'::character varying NOT NULL,
    title character varying(200),
    department character varying(100),
    status character varying(20) DEFAULT 'active'::character varying NOT NULL,
    invited_by uuid,
    permissions jsonb DEFAULT '{}'::jsonb NOT NULL,
    last_seen_at timestamp with time zone,
    timezone character varying(50),
    joined_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    "position" bigint NOT NULL,
    deactivated_at timestamp with time zone
);

CREATE TABLE read.workspaces (
    workspace_id uuid NOT NULL,
    name character varying(200) NOT NULL,
    domain character varying(100),
    description text,
    avatar_url text,
    settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    plan_type character varying(50) DEFAULT 'free'::character varying NOT NULL,
    max_members integer DEFAULT 10000 NOT NULL,
    billing_email character varying(255),
    subscription_status character varying(50) DEFAULT 'active'::character varying NOT NULL,
    sso_enabled boolean DEFAULT false NOT NULL,
    sso_config jsonb,
    require_2fa boolean DEFAULT false NOT NULL,
    general_channel_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    "position" bigint NOT NULL
);

ALTER TABLE ONLY read.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY ("position");

ALTER TABLE ONLY read.channel_members
    ADD CONSTRAINT channel_members_channel_id_user_id_key UNIQUE (channel_id, user_id);

ALTER TABLE ONLY read.channel_members
    ADD CONSTRAINT channel_members_pkey PRIMARY KEY (membership_id);

ALTER TABLE ONLY read.channels
    ADD CONSTRAINT channels_pkey PRIMARY KEY (channel_id);

ALTER TABLE ONLY read.channels
    ADD CONSTRAINT channels_workspace_id_name_key UNIQUE (workspace_id, name) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY read.mentions
    ADD CONSTRAINT mentions_pkey PRIMARY KEY (message_id, user_id);

ALTER TABLE ONLY read.message_edits
    ADD CONSTRAINT message_edits_pkey PRIMARY KEY (message_id, "position");

ALTER TABLE ONLY read.message_reactions
    ADD CONSTRAINT message_reactions_pkey PRIMARY KEY (message_id, emoji, user_id);

ALTER TABLE ONLY read.messages_archive
    ADD CONSTRAINT messages_archive_pkey PRIMARY KEY (message_id, created_at);

ALTER TABLE ONLY read.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (message_id, created_at);

ALTER TABLE ONLY read.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY read.workspace_invitations
    ADD CONSTRAINT workspace_invitations_pkey PRIMARY KEY (invitation_id);

ALTER TABLE ONLY read.workspace_members
    ADD CONSTRAINT workspace_members_pkey PRIMARY KEY (member_id);

ALTER TABLE ONLY read.workspace_members
    ADD CONSTRAINT workspace_members_workspace_id_user_id_key UNIQUE (workspace_id, user_id);

ALTER TABLE ONLY read.workspaces
    ADD CONSTRAINT workspaces_pkey PRIMARY KEY (workspace_id);

CREATE INDEX idx_active_workspace_members ON read.workspace_members USING btree (workspace_id, user_id) WHERE ((status)::text = 'active'::text);

CREATE INDEX idx_audit_log_actor ON read.audit_log USING btree (workspace_id, actor_id, "position");

CREATE INDEX idx_audit_log_address ON read.audit_log USING btree (workspace_id, address, "position") WHERE (address IS NOT NULL);

CREATE INDEX idx_audit_log_aggregate ON read.audit_log USING btree (workspace_id, aggregate_id, "position");

CREATE INDEX idx_audit_log_all ON read.audit_log USING btree ("position") WHERE concerns_all;

CREATE INDEX idx_audit_log_causation ON read.audit_log USING btree (causation_id, "position") WHERE (causation_id IS NOT NULL);

CREATE INDEX idx_audit_log_channel ON read.audit_log USING btree (channel_id, happened_at, "position") WHERE (channel_id IS NOT NULL);

CREATE INDEX idx_audit_log_command ON read.audit_log USING btree (workspace_id, command, "position");

CREATE INDEX idx_audit_log_event_type ON read.audit_log USING btree (workspace_id, event_type, "position");

CREATE INDEX idx_audit_log_ids ON read.audit_log USING brin (event_id uuid_minmax_multi_ops, correlation_id uuid_minmax_multi_ops) WITH (pages_per_range='32', autosummarize='on');

CREATE INDEX idx_audit_log_person ON read.audit_log USING btree (person_id, "position") WHERE (person_id IS NOT NULL);

CREATE INDEX idx_audit_log_session ON read.audit_log USING btree (session_id, "position") WHERE (session_id IS NOT NULL);

CREATE INDEX idx_audit_log_sessions ON read.audit_log USING btree ("position") WHERE (person_id IS NOT NULL);

CREATE INDEX idx_audit_log_workspace ON read.audit_log USING btree (workspace_id, "position");

CREATE INDEX idx_channel_members_active ON read.channel_members USING btree (is_active);

CREATE INDEX idx_channel_members_channel ON read.channel_members USING btree (channel_id);

CREATE INDEX idx_channel_members_user ON read.channel_members USING btree (user_id);

CREATE INDEX idx_channels_archived ON read.channels USING btree (is_archived);

CREATE INDEX idx_channels_created_at ON read.channels USING btree (created_at);

CREATE INDEX idx_channels_type ON read.channels USING btree (channel_type);

CREATE INDEX idx_channels_workspace ON read.channels USING btree (workspace_id);

CREATE INDEX idx_mentions_user_workspace_created ON read.mentions USING btree (user_id, workspace_id, created_at DESC, message_id DESC);

CREATE INDEX idx_message_edits_user ON read.message_edits USING btree (user_id, workspace_id, message_id, "position");

CREATE INDEX idx_message_reactions_position ON read.message_reactions USING btree (message_id, emoji, "position");

CREATE INDEX idx_messages_archive_channel_created ON ONLY read.messages_archive USING btree (channel_id, created_at DESC);

CREATE INDEX idx_messages_archive_thread ON ONLY read.messages_archive USING btree (thread_id);

CREATE INDEX idx_messages_archive_unpurged ON ONLY read.messages_archive USING btree (channel_id, created_at) WHERE (purged_at IS NULL);

CREATE INDEX idx_messages_archive_user ON ONLY read.messages_archive USING btree (user_id);

CREATE INDEX idx_messages_channel_created ON ONLY read.messages USING btree (channel_id, created_at DESC);

CREATE INDEX idx_messages_channel_thread_created ON ONLY read.messages USING btree (channel_id, thread_id, created_at DESC);

CREATE INDEX idx_messages_client_msg ON ONLY read.messages USING btree (client_msg_id);

CREATE INDEX idx_messages_deleted ON ONLY read.messages USING btree (is_deleted);

CREATE INDEX idx_messages_pinned ON ONLY read.messages USING btree (channel_id, pinned_at) WHERE is_pinned;

CREATE INDEX idx_messages_search_vector ON ONLY read.messages USING gin (search_vector) WITH (gin_pending_list_limit='256');

CREATE INDEX idx_messages_thread ON ONLY read.messages USING btree (thread_id);

CREATE INDEX idx_messages_user ON ONLY read.messages USING btree (user_id);

CREATE INDEX idx_messages_user_workspace_created ON ONLY read.messages USING btree (user_id, workspace_id, created_at DESC);

CREATE INDEX idx_users_created_at ON read.users USING btree (created_at);

CREATE UNIQUE INDEX idx_users_email ON read.users USING btree (email);

CREATE INDEX idx_users_erasure_due_at ON read.users USING btree (erasure_due_at) WHERE (erasure_due_at IS NOT NULL);

CREATE INDEX idx_users_status ON read.users USING btree (status);

CREATE UNIQUE INDEX idx_users_username ON read.users USING btree (username);

CREATE INDEX idx_users_username_folded ON read.users USING btree (lower((username)::text));

CREATE INDEX idx_workspace_invitations_workspace ON read.workspace_invitations USING btree (workspace_id) WHERE ((status)::text = 'pending'::text);

CREATE INDEX idx_workspace_members_role ON read.workspace_members USING btree (role);

CREATE INDEX idx_workspace_members_status ON read.workspace_members USING btree (status);

CREATE INDEX idx_workspace_members_user ON read.workspace_members USING btree (user_id);

CREATE INDEX idx_workspace_members_workspace ON read.workspace_members USING btree (workspace_id);

CREATE INDEX idx_workspaces_created_at ON read.workspaces USING btree (created_at);

