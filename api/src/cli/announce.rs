//! The lines in which a server says that it starts, serves and stops. The text on the standard output is for people and
//! scripts. With `log_format = "json"` the same is in the log, and the standard output stays empty.

use projections::search::BackendName;
use tracing::info;
use url::Url;

use crate::app::{Roles, Server};
use crate::config::Settings;
use crate::telemetry::PROCESS;

/// The first line of the log: what starts, with which servers. It names no user and no password of a server.
pub(super) fn starts(settings: &Settings, roles: Roles) {
    let search = match settings.search.backend {
        BackendName::Postgres => "postgres",
        BackendName::Elasticsearch => "elasticsearch",
    };
    info!(
        target: PROCESS,
        version = env!("CARGO_PKG_VERSION"),
        commit = stores::release::commit(),
        roles = roles.names(),
        postgres = places(settings.postgres_url.expose()),
        nats = places(settings.nats.url.expose()),
        redis = places(settings.redis.urls.expose()),
        search,
        request_log = ?settings.request_log,
        "backscroll starts"
    );
}

/// The line for people and scripts: the address that the server listens at, and that of clients if it is another.
pub(super) fn serving_text(server: &Server) -> String {
    let operators = server.operators_address().map_or_else(String::new, |address| format!(", for operators at http://{address}"));
    let Some(address) = server.address() else { return format!("running without HTTP{operators}") };
    let (own, public) = (format!("http://{address}"), server.public_url());
    let clients = if public == own { String::new() } else { format!(", for clients at {public}") };
    format!("serving at {own}{clients}, documented at {public}/docs/{operators}")
}

/// The same in the log.
pub(super) fn serving(server: &Server, roles: Roles) {
    info!(
        target: PROCESS,
        version = env!("CARGO_PKG_VERSION"),
        commit = stores::release::commit(),
        roles = roles.names(),
        address = server.address().map(|address| format!("http://{address}")),
        operators_address = server.operators_address().map(|address| format!("http://{address}")),
        public_url = server.address().map(|_| server.public_url()),
        "serving"
    );
}

/// Says that the server is about to stop, and serves until its load balancer has noticed.
pub(super) fn leaving() {
    info!(target: PROCESS, "stopping: requests are served until the load balancer has noticed");
}

/// Says that the server stops.
pub(super) fn stopping() {
    info!(target: PROCESS, "stopping");
}

/// The hosts, ports and paths of addresses with commas between. A text that is no address is left out: it may hold a
/// password.
fn places(urls: &str) -> String {
    let place = |url: &str| {
        let url = Url::parse(url.trim()).ok()?;
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        Some(format!("{}{port}{}", url.host_str().unwrap_or("socket"), url.path()))
    };
    urls.split(',').filter_map(place).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_of_servers_have_no_passwords() {
        assert_eq!(places("postgres://us:se%40cret@db.example.org:5433/backscroll?sslmode=require"), "db.example.org:5433/backscroll");
        assert_eq!(places("redis://:secret@one:7000,redis://:secret@two"), "one:7000, two");
        assert_eq!(places("not an address with a secret"), "");
    }
}
