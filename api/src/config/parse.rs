//! Parses each setting. Mistakes are collected, so that the server reports all at once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use chrono::NaiveTime;
use identity::registration::RegistrationPolicy;
use ipnet::IpNet;
use ledger::proof::note;
use projections::search::BackendName;
use state::limits::policy::RateLimits;
use stores::objects::ObjectUrl;

use super::{ConfigError, MasterKey, Origin, Secret, settings, variable};

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object per line.
    Json,
}

/// The requests that have a log line of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestLog {
    /// None.
    Off,
    /// Those that the server failed to answer: 500 and above.
    Errors,
    /// All.
    On,
}

/// A network in CIDR notation, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// Whether the address is in the network. An IPv4 address inside an IPv6 address counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let Some((address, prefix)) = text.split_once('/') else {
            return text.parse::<IpAddr>().map(|address| Self(address.into())).map_err(drop);
        };
        let (address, prefix) = (address.parse().map_err(drop)?, prefix.parse().map_err(drop)?);
        IpNet::new(address, prefix).map(Self).map_err(drop)
    }
}

/// The values that are set, and the mistakes in them.
#[derive(Default)]
pub(super) struct Values {
    pub(super) set: BTreeMap<&'static str, String>,
    /// The settings whose file has a mistake. They are set, but have no value.
    pub(super) failed: BTreeSet<&'static str>,
    pub(super) mistakes: Vec<String>,
}

impl Values {
    /// Returns the settings if there are no mistakes.
    pub(super) fn finish<T>(self, settings: T) -> Result<T, ConfigError> {
        if self.mistakes.is_empty() { Ok(settings) } else { Err(ConfigError::Wrong(self.mistakes)) }
    }

    pub(super) fn text(&mut self, name: &'static str) -> String {
        let Some(setting) = settings().find(|setting| setting.name == name) else {
            return String::new();
        };
        if let Some(value) = self.set.get(name) {
            return value.trim().to_owned();
        }
        if setting.default.is_none() && !self.failed.contains(name) {
            self.mistakes.push(format!("{name} ({}) is missing: {}", variable(name), setting.what));
        }
        setting.default.unwrap_or_default().to_owned()
    }

    /// Parses a value. If that fails, it records the mistake and returns `stand_in`, which nothing uses.
    fn parsed<T>(&mut self, name: &'static str, stand_in: T, parse: impl FnOnce(&str) -> Option<T>) -> T {
        let mistakes = self.mistakes.len();
        let text = self.text(name);
        if self.mistakes.len() > mistakes || self.failed.contains(name) {
            return stand_in;
        }
        parse(&text).unwrap_or_else(|| {
            let what = settings().find(|setting| setting.name == name).map_or("", |setting| setting.what);
            self.mistakes.push(format!("{name} ({}) is invalid: {what}", variable(name)));
            stand_in
        })
    }

    /// Notes that a setting needs another one, which is not set.
    pub(super) fn needs_too<T>(&mut self, name: &'static str, other: &'static str) -> Option<T> {
        self.mistakes.push(format!("{name} ({}) needs {other} ({}), which is not set", variable(name), variable(other)));
        None
    }

    /// An address with one of these schemes.
    pub(super) fn url(&mut self, name: &'static str, schemes: &[&str]) -> Secret {
        self.urls(name, schemes, false)
    }

    /// The same. If `several`, there may be several addresses, separated by commas.
    pub(super) fn urls(&mut self, name: &'static str, schemes: &[&str], several: bool) -> Secret {
        let parts = |text: &str| if several { text.split(',').map(|part| part.trim().to_owned()).collect() } else { vec![text.to_owned()] };
        let is_url = |part: &String| schemes.iter().any(|scheme| part.starts_with(scheme));
        let text = self.parsed(name, String::new(), |text| parts(text).iter().all(is_url).then(|| text.to_owned()));
        // Without this, a password with a special character gives an error that names neither the setting nor the cause.
        let wrong = parts(&text).iter().filter(|part| !part.is_empty()).find_map(|part| stores::address::check(part).err());
        if let Some(reason) = wrong {
            self.mistakes.push(format!("{name} ({}) is not a valid address: {reason}", variable(name)));
        }
        text.into()
    }

    pub(super) fn master_key(&mut self, name: &'static str) -> MasterKey {
        self.parsed(name, MasterKey::from([0; 32]), |text| text.parse().ok())
    }

    pub(super) fn optional_master_key(&mut self, name: &'static str) -> Option<MasterKey> {
        self.parsed(name, None, |text| match text {
            "" => Some(None),
            text => text.parse().ok().map(Some),
        })
    }

    pub(super) fn listen(&mut self, name: &'static str) -> SocketAddr {
        self.parsed(name, SocketAddr::from(([127, 0, 0, 1], 0)), |text| {
            text.parse().ok().or_else(|| std::net::ToSocketAddrs::to_socket_addrs(text).ok()?.next())
        })
    }

    /// An address to listen at. `off` is `None`.
    pub(super) fn optional_listen(&mut self, name: &'static str) -> Option<SocketAddr> {
        if self.text(name) == "off" { None } else { Some(self.listen(name)) }
    }

    pub(super) fn public_url(&mut self, name: &'static str) -> Option<String> {
        self.parsed(name, None, |text| match text.trim_end_matches('/') {
            "" => Some(None),
            url if url.starts_with("https://") || url.starts_with("http://") => Some(Some(url.to_owned())),
            _ => None,
        })
    }

    pub(super) fn networks(&mut self, name: &'static str) -> Vec<Network> {
        self.list(name)
    }

    pub(super) fn origins(&mut self, name: &'static str) -> Vec<Origin> {
        self.list(name)
    }

    /// Items with commas between.
    fn list<T: FromStr>(&mut self, name: &'static str) -> Vec<T> {
        self.parsed(name, Vec::new(), |text| {
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect()
        })
    }

    pub(super) fn number<T: FromStr + PartialOrd + Default>(&mut self, name: &'static str, range: RangeInclusive<T>) -> T {
        self.parsed(name, T::default(), |text| text.parse().ok().filter(|number| range.contains(number)))
    }

    /// `HH:MM`. `off` is `None`.
    pub(super) fn time_of_day(&mut self, name: &'static str) -> Option<NaiveTime> {
        self.parsed(name, None, |text| match text {
            "off" => Some(None),
            text => NaiveTime::parse_from_str(text, "%H:%M").ok().map(Some),
        })
    }

    pub(super) fn flag(&mut self, name: &'static str) -> bool {
        self.parsed(name, false, |text| text.parse().ok())
    }

    pub(super) fn stream_name(&mut self, name: &'static str) -> String {
        let fine = |text: &str| {
            !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        self.parsed(name, String::new(), |text| fine(text).then(|| text.to_owned()))
    }

    pub(super) fn search_backend(&mut self, name: &'static str) -> BackendName {
        self.parsed(name, BackendName::Postgres, |text| match text {
            "postgres" => Some(BackendName::Postgres),
            "elasticsearch" => Some(BackendName::Elasticsearch),
            _ => None,
        })
    }

    /// The address of Elasticsearch. It may be absent if another backend answers searches.
    pub(super) fn elasticsearch_url(&mut self, name: &'static str, backend: BackendName) -> Secret {
        let is_url = |text: &str| text.starts_with("http://") || text.starts_with("https://");
        let is_left_out = |text: &str| text.is_empty() && backend == BackendName::Postgres;
        self.parsed(name, String::new(), |text| (is_url(text) || is_left_out(text)).then(|| text.to_owned())).into()
    }

    /// A prefix that Elasticsearch accepts at the start of an index name.
    pub(super) fn index_prefix(&mut self, name: &'static str) -> String {
        let is_fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        let fine = |text: &str| text.starts_with(|first: char| first.is_ascii_lowercase()) && text.len() <= 64 && text.bytes().all(is_fine);
        self.parsed(name, String::new(), |text| fine(text).then(|| text.to_owned()))
    }

    /// The name of a log, or an empty text.
    pub(super) fn proof_origin(&mut self, name: &'static str) -> String {
        self.parsed(name, String::new(), |text| (text.is_empty() || note::is_name(text)).then(|| text.to_owned()))
    }

    /// A web address, or an empty text.
    pub(super) fn web_address(&mut self, name: &'static str) -> Secret {
        let is_url = |text: &str| text.is_empty() || text.starts_with("http://") || text.starts_with("https://");
        self.parsed(name, String::new(), |text| is_url(text).then(|| text.to_owned())).into()
    }

    /// An address in the object store, if it is set.
    pub(super) fn object_url(&mut self, name: &'static str) -> Option<ObjectUrl> {
        self.parsed(name, None, |text| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) })
    }

    pub(super) fn rate_limits(&mut self, name: &'static str) -> RateLimits {
        self.parsed(name, RateLimits::off(), |text| text.parse().ok())
    }

    pub(super) fn log_level(&mut self, name: &'static str) -> String {
        let fine = |text: &str| tracing_subscriber::EnvFilter::try_new(text).is_ok();
        self.parsed(name, String::new(), |text| fine(text).then(|| text.to_owned()))
    }

    pub(super) fn registration(&mut self, name: &'static str) -> RegistrationPolicy {
        self.parsed(name, RegistrationPolicy::Closed, |text| text.parse().ok())
    }

    pub(super) fn log_format(&mut self, name: &'static str) -> LogFormat {
        self.parsed(name, LogFormat::Text, |text| match text {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        })
    }

    pub(super) fn request_log(&mut self, name: &'static str) -> RequestLog {
        self.parsed(name, RequestLog::Off, |text| match text {
            "off" => Some(RequestLog::Off),
            "errors" => Some(RequestLog::Errors),
            "on" => Some(RequestLog::On),
            _ => None,
        })
    }
}
