//! The settings. They are read from the environment and an optional TOML file. The environment overrides the file. At
//! start, the server refuses an invalid, missing or unknown setting.
//!
//! [`settings`] is the list that the documentation prints: `setting` has it, and each group of settings has its own part.

mod gather;
mod markdown;
pub mod object_store;
mod origin;
mod parse;
mod proof;
mod search;
mod servers;
mod setting;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{NaiveTime, TimeDelta};
use identity::registration::RegistrationPolicy;
pub use keyring::{MasterKey, Secret};
use ledger::proof::KeySource;
use stores::nats::NatsSettings;
use stores::objects::ObjectStoreSettings;
use stores::redis::RedisSettings;

use crate::config::gather::{Sources, gather};
pub use crate::config::markdown::as_markdown;
pub use crate::config::origin::Origin;
pub use crate::config::parse::{LogFormat, Network, RequestLog};
pub use crate::config::proof::ProofSettings;
pub use crate::config::search::{ElasticsearchSettings, SearchSettings};
pub use crate::config::setting::{Setting, settings};
use state::limits::policy::RateLimits;
use state::sessions::Bounds;

/// The longest time of an answer after the whole request has arrived. It is longer than each wait that has a limit of
/// its own.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// How much longer than one statement an answer may take. So the caller of a slow query gets the answer that says so.
const AFTER_STATEMENT: Duration = Duration::from_secs(5);

/// The settings that a server starts with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address of Postgres.
    pub postgres_url: Secret,
    /// The connection to Redis.
    pub redis: RedisSettings,
    /// The connection to NATS.
    pub nats: NatsSettings,
    /// The key from which other keys are derived.
    pub master_key: MasterKey,
    /// The previous master key, as long as it encrypts some keys.
    pub master_key_previous: Option<MasterKey>,
    /// The address of HTTP.
    pub listen: SocketAddr,
    /// The operators' address. `None` disables it.
    pub operators_listen: Option<SocketAddr>,
    /// The URL for clients, if it is not `listen`.
    pub public_url: Option<String>,
    /// The origins whose web pages may use the interface.
    pub allowed_origins: Vec<Origin>,
    /// The networks whose `X-Forwarded-For` and `X-Forwarded-Host` the server trusts.
    pub trusted_proxies: Vec<Network>,
    /// The number of HTTP threads. 0 means one for each core.
    pub http_workers: usize,
    /// The most client connections at a time.
    pub connections_max: usize,
    /// The most connections of one address at a time. 0 means a hundredth of `connections_max`.
    pub connections_per_address_max: usize,
    /// The longest time for the head of a client's first request.
    pub request_head_timeout: Duration,
    /// The longest time for a body.
    pub request_body_timeout: Duration,
    /// The longest time that a connection waits for its client: for the next request, or until the client has read an
    /// answer.
    pub idle_timeout: Duration,
    /// The most bytes of a request body.
    pub body_bytes_max: usize,
    /// The time between the announcement that the server stops and the closing of its socket.
    pub shutdown_delay: Duration,
    /// The longest time that running requests have when the server stops.
    pub shutdown_timeout: Duration,
    /// The most connections to Postgres.
    pub postgres_connections: u32,
    /// The longest time of a statement of a query.
    pub statement_timeout: Duration,
    /// The name of the JetStream stream.
    pub nats_stream: String,
    /// The number of partitions of the events.
    pub partitions: u16,
    /// Who may register without an operator.
    pub registration: RegistrationPolicy,
    /// The time from the last use of a session to its end.
    pub session_lifetime: Duration,
    /// The longest time from the start of a session to its end.
    pub session_age_max: Duration,
    /// The most sessions of a user.
    pub sessions_max: u32,
    /// The time in which an invitation can be accepted.
    pub invitation_lifetime: Duration,
    /// The time in which an erasure can be cancelled.
    pub erasure_wait: TimeDelta,
    /// The most workspaces that a user may create.
    pub workspaces_per_person_max: u32,
    /// The most active members of a new workspace.
    pub workspace_members_max: u32,
    /// The most events of a workspace that a client may have missed to get them.
    pub changes_behind_max: u32,
    /// The most live connections. 0 means nine tenths of all connections.
    pub live_connections_max: usize,
    /// The most live connections of a person.
    pub live_connections_per_person_max: usize,
    /// The most live connections of an address. 0 means no limit.
    pub live_connections_per_address_max: usize,
    /// The most bytes that wait for one live connection.
    pub live_queue_bytes: usize,
    /// The last events of the log that are kept in memory for clients that come back.
    pub live_tail_events: u32,
    /// The most frames of a client in a second.
    pub live_frames_per_second_max: u32,
    /// The time over which live connections are asked to come back elsewhere when the server stops.
    pub live_drain: Duration,
    /// The time of the daily retention run, in UTC. `None` disables it.
    pub retention_at: Option<NaiveTime>,
    /// The settings of search.
    pub search: SearchSettings,
    /// The signed proof of the log.
    pub proof: ProofSettings,
    /// The settings of the object store.
    pub object_store: ObjectStoreSettings,
    /// The rate limits.
    pub rate_limits: RateLimits,
    /// The filter of the log lines.
    pub log_level: String,
    /// The format of the log lines.
    pub log_format: LogFormat,
    /// Which requests have a log line of their own.
    pub request_log: RequestLog,
}

/// The reason why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the settings file {path} (--config, or BACKSCROLL_CONFIG) cannot be read: correct the path, and let this user read it", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is not TOML. The parser's own error is not kept, because it quotes the line, which may hold a password.
    #[error("the settings file {path} is not TOML: line {line}: {reason}", path = path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// The line of the mistake, from 1.
        line: usize,
        /// The kind of the mistake.
        reason: String,
    },
    /// The invalid, unknown and missing settings, one per line.
    #[error("these settings are invalid:\n  {}", .0.join("\n  "))]
    Wrong(Vec<String>),
}

impl Settings {
    /// Reads the settings from the environment of this process and from `file`. Without `file`, `BACKSCROLL_CONFIG`
    /// names the file.
    ///
    /// # Errors
    /// Names each invalid, unknown or missing setting, with its possible values.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let sources = Sources::read(file)?;
        Self::from_sources(&sources.environment, sources.file())
    }

    /// Reads the settings from an environment and the text of a file.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn from_sources(environment: &BTreeMap<String, String>, file: Option<(&Path, &str)>) -> Result<Self, ConfigError> {
        let mut values = gather(environment, file)?;
        let settings = Self {
            postgres_url: values.url("postgres_url", &["postgres://", "postgresql://"]),
            redis: servers::redis(&mut values),
            nats: servers::nats(&mut values),
            master_key: values.master_key("master_key"),
            master_key_previous: values.optional_master_key("master_key_previous"),
            listen: values.listen("listen"),
            operators_listen: values.optional_listen("operators_listen"),
            public_url: values.public_url("public_url"),
            allowed_origins: values.origins("allowed_origins"),
            trusted_proxies: values.networks("trusted_proxies"),
            http_workers: values.number("http_workers", 0..=1024),
            connections_max: values.number("connections_max", 16..=1_000_000),
            connections_per_address_max: values.number("connections_per_address_max", 0..=1_000_000),
            request_head_timeout: Duration::from_secs(values.number("request_head_seconds", 1..=300)),
            request_body_timeout: Duration::from_secs(values.number("request_body_seconds", 1..=3600)),
            idle_timeout: Duration::from_secs(values.number("idle_seconds", 1..=3600)),
            body_bytes_max: values.number("body_bytes_max", 1024..=1 << 30),
            shutdown_delay: Duration::from_secs(values.number("shutdown_delay_seconds", 0..=3600)),
            shutdown_timeout: Duration::from_secs(values.number("shutdown_seconds", 0..=3600)),
            postgres_connections: values.number("postgres_connections", 1..=1000),
            statement_timeout: Duration::from_secs(values.number("statement_seconds", 1..=3600)),
            nats_stream: values.stream_name("nats_stream"),
            partitions: values.number("partitions", 1..=256),
            registration: values.registration("registration"),
            session_lifetime: hours(values.number("session_hours", 1..=8760)),
            session_age_max: hours(values.number("session_hours_max", 1..=87_600)),
            sessions_max: values.number("sessions_max", 1..=10_000),
            changes_behind_max: values.number("changes_behind_max", 1..=1_000_000),
            live_connections_max: values.number("live_connections_max", 0..=1_000_000),
            live_connections_per_person_max: values.number("live_connections_per_person_max", 1..=100_000),
            live_connections_per_address_max: values.number("live_connections_per_address_max", 0..=1_000_000),
            live_queue_bytes: values.number("live_queue_bytes", 16_384..=1 << 30),
            live_tail_events: values.number("live_tail_events", 0..=100_000),
            live_frames_per_second_max: values.number("live_frames_per_second_max", 1..=10_000),
            live_drain: Duration::from_secs(values.number("live_drain_seconds", 0..=3600)),
            retention_at: values.time_of_day("retention_at"),
            invitation_lifetime: hours(values.number("invitation_hours", 1..=8760)),
            erasure_wait: TimeDelta::hours(values.number("erasure_hours", 0..=8760)),
            workspaces_per_person_max: values.number("workspaces_per_person_max", 1..=1_000_000),
            workspace_members_max: values.number("workspace_members_max", 1..=1_000_000),
            search: SearchSettings::read(&mut values),
            proof: ProofSettings::read(&mut values),
            object_store: object_store::read(&mut values),
            rate_limits: values.rate_limits("rate_limits"),
            log_level: values.log_level("log_level"),
            log_format: values.log_format("log_format"),
            request_log: values.request_log("request_log"),
        };
        values.finish(settings)
    }

    /// The format of the log lines, even if other settings are wrong: the server reports them in this format.
    #[must_use]
    pub fn log_format(file: Option<&Path>) -> LogFormat {
        let Ok(sources) = Sources::read(file) else { return LogFormat::Text };
        // A file that is not TOML says nothing. The environment still does.
        let values = gather(&sources.environment, sources.file()).or_else(|_| gather(&sources.environment, None));
        values.map_or(LogFormat::Text, |mut values| values.log_format("log_format"))
    }

    /// The limits of sessions: their lifetimes, and their number for each user.
    #[must_use]
    pub fn session_bounds(&self) -> Bounds {
        Bounds { unused_max: self.session_lifetime, age_max: self.session_age_max, per_person: self.sessions_max }
    }

    /// The origin of `public_url`, as browsers name it.
    #[must_use]
    pub fn public_origin(&self) -> Option<String> {
        let url = self.public_url.as_ref()?.parse::<url::Url>().ok()?;
        Some(url.origin().ascii_serialization())
    }

    /// Whether clients reach the server over TLS.
    #[must_use]
    pub fn is_public_over_tls(&self) -> bool {
        self.public_url.as_ref().is_some_and(|url| url.starts_with("https://"))
    }

    /// The limits of live connections.
    #[must_use]
    pub fn live_bounds(&self) -> live::Bounds {
        let or = |limit: usize, otherwise: usize| if limit == 0 { otherwise } else { limit };
        live::Bounds {
            queue_bytes: self.live_queue_bytes,
            per_person: self.live_connections_per_person_max,
            per_address: or(self.live_connections_per_address_max, usize::MAX),
            all: or(self.live_connections_max, self.connections_max / 10 * 9),
            ping_seconds: crate::live::PING_EVERY.as_secs(),
        }
    }

    /// The place of the key that signs the heads of the log.
    #[must_use]
    pub fn proof_keys(&self) -> KeySource {
        self.proof.key_source((&self.master_key, self.master_key_previous.as_ref()), self.public_url.as_deref())
    }

    /// The longest time of a request, from its head to its answer.
    #[must_use]
    pub fn answer_max(&self) -> Duration {
        self.request_body_timeout + ANSWER_TIMEOUT.max(self.statement_timeout + AFTER_STATEMENT)
    }

    /// The longest time in which the server sends nothing on a connection: one request, and then the idle time.
    #[must_use]
    pub fn unanswered_max(&self) -> Duration {
        self.request_head_timeout + self.answer_max() + self.idle_timeout
    }
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

fn variable(name: &str) -> String {
    format!("BACKSCROLL_{}", name.to_uppercase())
}

#[cfg(test)]
mod tests;
