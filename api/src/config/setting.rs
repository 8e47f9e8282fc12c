//! The list of all settings: their names, their defaults and their documentation.

use state::limits::policy;

use super::{object_store, proof, search, servers};

/// One setting: its name, its default and its documentation.
pub struct Setting {
    /// The key in the file. In the environment, it is `BACKSCROLL_` and the name in capitals.
    pub name: &'static str,
    /// The value that applies if the setting is absent. `None` if the setting is required.
    pub default: Option<&'static str>,
    /// The purpose of the setting, and its possible values.
    pub what: &'static str,
    /// Whether the value is secret. Then `NAME_file` may name a file that has the value.
    pub is_secret: bool,
}

impl Setting {
    pub(super) const fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }
}

const fn required(name: &'static str, what: &'static str) -> Setting {
    Setting { name, default: None, what, is_secret: false }
}

pub(super) const fn optional(name: &'static str, default: &'static str, what: &'static str) -> Setting {
    Setting { name, default: Some(default), what, is_secret: false }
}

const RATE_LIMITS: &str = "the limit of each request class, as requests/seconds: items such as `free.write=600/60` for one plan, or `write=600/60` \
    for all plans, with spaces between; 0 is no limit, `all` is every class, `off` is no limits at all. Classes that are not named \
    keep their defaults. OPERATIONS.md describes the classes";

/// Every setting.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().chain(&servers::SETTINGS).chain(&search::SETTINGS).chain(&proof::SETTINGS).chain(&object_store::SETTINGS)
}

const SETTINGS: &[Setting] = &[
    required(
        "postgres_url",
        "Postgres 15 or later: `postgres://user:password@host:port/database`. Special characters of the user and the password must be \
            percent-encoded: `%40` for `@`. For TLS: `?sslmode=verify-full&sslrootcert=/path/ca.pem`",
    )
    .secret(),
    required(
        "redis_url",
        "Redis 7 or later: `redis://[user][:password@]host:port[/database]`, or `rediss://…` with TLS; for a cluster, some of its nodes, \
            separated by commas. Special characters of the password must be percent-encoded",
    )
    .secret(),
    required(
        "nats_url",
        "NATS 2.9 or later with JetStream: `nats://[user:password@]host:port`, or `tls://…` to refuse a server without TLS. Special \
            characters of the password must be percent-encoded",
    )
    .secret(),
    required(
        "master_key",
        "32 random bytes in base64, from which other keys are derived: `openssl rand -base64 32`. Without this key, sealed data cannot be read again",
    )
    .secret(),
    optional(
        "master_key_previous",
        "",
        "the previous master key, on every server, until `backscroll keys rotate` has said that nothing in the database needs it",
    )
    .secret(),
    optional("listen", "127.0.0.1:8080", "the address to serve HTTP at; port 0 takes a free port"),
    optional(
        "operators_listen",
        "127.0.0.1:8081",
        "the address for operators and Prometheus, with `/metrics` and the details of `/readyz`; every process serves it; port 0 takes a free \
            port, `off` disables it. It has no authentication: allow only operators to reach it",
    ),
    optional("public_url", "", "the address that clients use for the server, if it is not `listen`: `https://chat.example.org`"),
    optional(
        "allowed_origins",
        "",
        "origins whose web pages may use the interface and the session cookie, separated by commas: `https://app.example.org, \
            http://localhost:3000`; without one, browsers let no page of another origin read an answer (CORS)",
    ),
    optional(
        "trusted_proxies",
        "",
        "networks whose `X-Forwarded-For` and `X-Forwarded-Host` the server trusts, separated by commas: `10.0.0.0/8, ::1`",
    ),
    optional("http_workers", "0", "threads that serve HTTP: 0 to 1024; 0 is one for each core"),
    optional(
        "connections_max",
        "20000",
        "the most client connections at a time, fewer if the system allows fewer open files; further clients wait: 16 to 1000000",
    ),
    optional(
        "connections_per_address_max",
        "0",
        "the most connections of one address at a time (of IPv6, of one /64 network); 0 is a hundredth of `connections_max`; connections of \
            `trusted_proxies` are not counted: 0 to 1000000",
    ),
    optional("request_head_seconds", "10", "seconds that a client may take to send the head of its first request: 1 to 300"),
    optional("request_body_seconds", "30", "seconds that a client may take to send a body: 1 to 3600"),
    optional(
        "idle_seconds",
        "75",
        "seconds that a connection may wait for its next request, or for its client to read an answer: 1 to 3600",
    ),
    optional("body_bytes_max", "1048576", "the largest request body, in bytes: 1024 to 1073741824"),
    optional(
        "shutdown_delay_seconds",
        "5",
        "seconds between SIGTERM and the closing of the socket, in which `/readyz` answers 503 and requests are still served; at least as \
            long as a load balancer needs to notice: 0 to 3600. Ctrl-C, or a second signal, does not wait",
    ),
    optional("shutdown_seconds", "10", "seconds that running requests have to end when the server stops: 0 to 3600"),
    optional("postgres_connections", "16", "the most connections to Postgres for queries and commands: 1 to 1000"),
    optional(
        "statement_seconds",
        "10",
        "seconds that a statement of a query may take in Postgres; a longer one is cancelled, and the caller gets a 503: 1 to 3600",
    ),
    optional("redis_cluster", "false", "whether `redis_url` names nodes of a Redis Cluster: `true` or `false`"),
    optional("redis_key_prefix", "", "the prefix of every key in Redis, for installations that share one Redis"),
    optional(
        "nats_stream",
        "BACKSCROLL_EVENTS",
        "the name of the JetStream stream: letters, digits, `-` and `_`. The subjects of the default stream are `events.>`, those of \
            another one `NAME.events.>`; notices of new events are sent to `NAME.wake`, those of typing and presence to `NAME.live`",
    ),
    optional(
        "partitions",
        "8",
        "the number of partitions of the subjects: 1 to 256. Once events were published, the server refuses to start with another number",
    ),
    optional(
        "registration",
        "open",
        "who may register without an operator: `open` is everybody, `invited` is people with an invitation to a workspace, `closed` is nobody; \
            `backscroll users add` always registers",
    ),
    optional("session_hours", "24", "hours that a session lasts after its last use: 1 to 8760"),
    optional("session_hours_max", "720", "hours that a session lasts at most, however often it is used: 1 to 87600"),
    optional("sessions_max", "100", "the most sessions of a person; a further sign-in ends the oldest session: 1 to 10000"),
    optional("invitation_hours", "168", "hours that an invitation is valid, unless it says otherwise: 1 to 8760"),
    optional("erasure_hours", "168", "hours that an erasure waits, and can be cancelled: 0 to 8760; 0 erases at once"),
    optional("workspaces_per_person_max", "50", "the most workspaces that a person who is not an operator may create: 1 to 1000000"),
    optional("workspace_members_max", "10000", "the most active members of a new workspace, unless it says otherwise: 1 to 1000000"),
    optional(
        "changes_behind_max",
        "10000",
        "the most events of a workspace that a client may have missed to get them from `GET …/changes`; a client that missed more is told to \
            read the state again: 1 to 1000000",
    ),
    optional(
        "live_connections_max",
        "0",
        "the most live connections (`GET /v1/live`) of this server at a time; 0 is nine tenths of `connections_max`: 0 to 1000000",
    ),
    optional("live_connections_per_person_max", "50", "the most live connections of a person at one server: 1 to 100000"),
    optional(
        "live_connections_per_address_max",
        "0",
        "the most live connections of one address (of IPv6, of one /64 network) at one server, also through `trusted_proxies`; 0 is no \
            limit beside `connections_per_address_max`: 0 to 1000000",
    ),
    optional(
        "live_queue_bytes",
        "1048576",
        "the most bytes that wait for one live connection; a client that is slower is closed with 4001, and comes back with its cursor: \
            16384 to 1073741824",
    ),
    optional(
        "live_tail_events",
        "2000",
        "the last events of the log that the server keeps in memory, at most about 8 MB: clients that come back and have missed only some of \
            these cost no reading of the log: 0 to 100000",
    ),
    optional("live_frames_per_second_max", "20", "the most frames that a client may send on a live connection in a second: 1 to 10000"),
    optional(
        "live_drain_seconds",
        "5",
        "seconds over which clients of live connections are asked to come back to another server when this one stops: 0 to 3600",
    ),
    optional(
        "retention_at",
        "02:00",
        "the time of the daily retention run, in UTC, on one of the nodes that run projectors: `HH:MM`, or `off` for never",
    ),
    optional("rate_limits", policy::DEFAULT, RATE_LIMITS),
    optional(
        "log_level",
        "info,actix_server=warn,async_nats=off,sqlx=warn",
        "what the server logs: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,commands=debug`",
    ),
    optional("log_format", "text", "the format of the log lines: `text`, or `json` for one JSON object a line"),
    optional(
        "request_log",
        "off",
        "a log line for each answered request: `off`, `errors` (answers of 500 and above), or `on`; it has the user's identifier and the \
            client's address. OPERATIONS.md describes it",
    ),
];
